package localrun

import (
	"errors"
	"fmt"
	"net"
)

// FreePort is a TCP port that nothing listened on a moment ago, neither on
// 127.0.0.1 nor, where the machine has it, on ::1. Somebody else may take it
// before the caller does: be ready to try another.
func FreePort() (int, error) {
	for range 20 {
		port, err := freePort()
		if err == nil {
			return port, nil
		}
	}
	return 0, errors.New("find a free port: every one tried is taken on one of the loopback addresses")
}

func freePort() (int, error) {
	four, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = four.Close() }()
	port := four.Addr().(*net.TCPAddr).Port
	if !HasIPv6() {
		return port, nil
	}
	six, err := net.Listen("tcp6", fmt.Sprintf("[::1]:%d", port))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return port, six.Close()
}

// HasIPv6 tells whether ::1 can be listened on.
func HasIPv6() bool {
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// PortFree tells whether a TCP port of 127.0.0.1 can be listened on.
func PortFree(port int) bool {
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
