package ask

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe/facts"
)

// Client opens sessions with servers. It keeps no state between them.
type Client struct {
	Egress   egress.Policy
	Resolver Resolver
	Dialer   Dialer
	// NoPipelining sends the statement after the login, which costs a round trip.
	NoPipelining bool
	// TablesTimeout is the server's limit on the statement about the tables. 0 means most
	// of the time that a probe has left.
	TablesTimeout time.Duration
}

// Resolver looks up the addresses of a host; net.DefaultResolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Dialer opens TCP connections; net.Dialer is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// New returns a Client on the network that dials addresses that policy allows.
func New(policy egress.Policy) *Client {
	// Keep-alive probes are for connections that live longer. The fallback to the
	// other address family is for names, and only addresses are dialled.
	return &Client{Egress: policy, Resolver: net.DefaultResolver, Dialer: &net.Dialer{KeepAlive: -1, FallbackDelay: -1}}
}

// Request is what to ask one server.
type Request struct {
	Endpoint database.Endpoint
	Password database.Password
	// Session is the kind of session to request first.
	Session facts.SessionKind
	Parts   []facts.Part
	// Slot names the slot and the publication that Parts are about.
	Slot database.Slot
	// OneFlight leaves out what is asked only after the answers to the first statements:
	// what the fixes of some findings are made from.
	OneFlight bool
	// Publication is what a new publication has, if facts.PartCreation is asked for.
	Publication *database.NewPublication
}

// Host is a server whose name was looked up. Its Evidence grows with each step; it
// is not safe for concurrent use.
type Host struct {
	Evidence facts.Evidence
	Request

	client *Client
	addrs  []netip.AddrPort
	// tlsAdded is true for sessions over TLS that was not requested.
	tlsAdded bool
}

// Resolve looks up r's host, once: only the addresses that were checked here are
// dialled later.
func (c *Client) Resolve(ctx context.Context, r Request) *Host {
	h := &Host{Request: r, client: c}
	addrs, failure := c.resolve(ctx, r.Endpoint)
	if failure != nil {
		h.Evidence.Stop(*failure)
		return h
	}
	h.addrs, h.Evidence.Reached = addrs, facts.Resolved
	return h
}

// maySendPassword reports whether the server may receive the password in
// cleartext: over TLS that was requested only, and a token or a password from a
// referenced secret only if the server is verified, and not by an authority that the
// caller sent.
func (h *Host) maySendPassword() bool {
	if !h.Endpoint.SSL || h.tlsAdded {
		return false
	}
	return h.Endpoint.PasswordSecretARN == "" && !h.Endpoint.ByIAM() || h.Endpoint.SSLMode == database.SSLModeVerifyFull && h.Endpoint.SSLRootCert == ""
}
