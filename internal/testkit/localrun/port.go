package localrun

import (
	"errors"
	"fmt"
	"net"
)

const portTries = 20

// FreePort returns a TCP port that nothing listens on, neither on 127.0.0.1 nor,
// if the machine has it, on ::1. Another process may take it before the caller
// does, so be ready to try again.
func FreePort() (int, error) {
	for range portTries {
		port, err := freePort()
		if err == nil {
			return port, nil
		}
	}
	return 0, errors.New("find free port: each one tried is taken on one of the loopback addresses")
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	port := listener.Addr().(*net.TCPAddr).Port
	if HasIPv6() && !canListen("tcp6", fmt.Sprintf("[::1]:%d", port)) {
		return 0, fmt.Errorf("find free port: %d is taken on ::1", port)
	}
	return port, nil
}

// HasIPv6 reports whether this machine can listen on ::1.
func HasIPv6() bool { return canListen("tcp6", "[::1]:0") }

// PortFree reports whether this process can listen on the TCP port of 127.0.0.1.
func PortFree(port int) bool { return canListen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)) }

func canListen(network, address string) bool {
	listener, err := net.Listen(network, address)
	return err == nil && listener.Close() == nil
}
