package hostile_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// newSource creates a source on the real server, after change has altered it.
func newSource(t *testing.T, password string, change func(*pgserver.Source)) pgserver.Source {
	t.Helper()
	id := uuid.NewString()[:8]
	s := pgserver.Source{Database: "db_" + id, Username: "role_" + id, Password: password, Publication: "pub", Slot: "slot_" + id}
	if change != nil {
		change(&s)
	}
	if err := postgres.get(t).CreateSource(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		const drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = "
		if _, err := postgres.get(t).Exec(context.Background(), "postgres", drop+"'"+s.Slot+"'"); err != nil {
			t.Log(err)
		}
	})
	return s
}

// redirect dials another address than the one that was asked for.
type redirect struct{ to string }

func (r redirect) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, r.to)
}

// register registers a real source as a public host.
func (s *stack) register(name, host string, w *wiretap) {
	s.t.Helper()
	w.answers[host] = [][]netip.Addr{{netip.MustParseAddr("8.8.8.8")}}
	s.prober.Client.Dialer = redirect{realAddress(s.t)}
	payload := payloadOf(name, newSource(s.t, "a password", nil), host, 5432)
	if got := s.send("POST", gateway.Collection, payload); got.status != 201 {
		s.t.Fatalf("create: %d %s", got.status, got.body)
	}
}

// realAddress returns the address of the real server.
func realAddress(t *testing.T) string {
	t.Helper()
	server := postgres.get(t)
	return fmt.Sprintf("%s:%d", server.Host(), server.Port())
}

// payloadOf returns the payload that registers a source at a host.
func payloadOf(name string, s pgserver.Source, host string, port int) map[string]any {
	return map[string]any{
		"name": name, "hostname": host, "port": port, "database": s.Database, "username": s.Username, "password": s.Password,
		"replication_slots": []any{map[string]any{"publication_name": s.Publication, "slot_name": s.Slot}},
	}
}

// realPayload returns the payload that registers a source at the real server.
func realPayload(t *testing.T, name string, s pgserver.Source) map[string]any {
	t.Helper()
	server := postgres.get(t)
	return payloadOf(name, s, server.Host(), server.Port())
}
