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

// newSource creates a source on the machine's Postgres.
func newSource(t *testing.T, password string) pgserver.Source {
	t.Helper()
	id := uuid.NewString()[:8]
	s := pgserver.Source{Database: "db_" + id, Username: "role_" + id, Password: password, Publication: "pub", Slot: "slot_" + id}
	if err := servers(t).Postgres.CreateSource(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		const drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = "
		if _, err := servers(t).Postgres.Exec(context.Background(), "postgres", drop+"'"+s.Slot+"'"); err != nil {
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
	m := servers(s.t)
	w.answers[host] = [][]netip.Addr{{netip.MustParseAddr("8.8.8.8")}}
	s.prober.Client.Dialer = redirect{fmt.Sprintf("%s:%d", m.Postgres.Host(), m.Postgres.Port())}
	payload := m.Payload(name, newSource(s.t, "a password"))
	payload["hostname"], payload["port"] = host, 5432
	if got := s.send("POST", gateway.Collection, payload); got.status != 201 {
		s.t.Fatalf("create: %d %s", got.status, got.body)
	}
}
