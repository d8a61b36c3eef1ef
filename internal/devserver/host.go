package devserver

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// maxLoggedHost bounds what a log line repeats of a Host header, in bytes.
const maxLoggedHost = 100

// hostCheck rejects requests for another host than the server's own, so that a
// web page whose name resolves to this machine (DNS rebinding) cannot use the API
// through a visitor's browser.
type hostCheck struct {
	next    http.Handler
	address netip.AddrPort
	log     *slog.Logger
}

// ServeHTTP answers 421 to a request for another host.
func (h *hostCheck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.own(r.Host) {
		h.next.ServeHTTP(w, r)
		return
	}
	refuse(w, r, h.log, http.StatusMisdirectedRequest,
		"this server answers only for its own host, such as localhost:"+strconv.Itoa(int(h.address.Port())),
		"host", r.Host[:min(len(r.Host), maxLoggedHost)])
}

// own reports whether the value of a Host header is one of the server's:
// localhost or the address it listens on, with its port. Where it listens on all
// addresses, every IP address is its own: rebinding needs a name.
func (h *hostCheck) own(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		// The port of http is left out of the header.
		name, port = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), "80"
	}
	if port != strconv.Itoa(int(h.address.Port())) {
		return false
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	listening := h.address.Addr()
	return listening.IsUnspecified() || ip == listening || isDefaultLoopback(ip)
}

// isDefaultLoopback reports whether ip is what localhost resolves to.
func isDefaultLoopback(ip netip.Addr) bool {
	return ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback()
}
