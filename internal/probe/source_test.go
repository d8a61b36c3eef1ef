package probe_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/pgserver"
	"github.com/headgate/headgate/internal/pgserver/pgtest"
	"github.com/headgate/headgate/internal/probe"
)

// shared is the server on which most of the tests make sources of their own.
var shared *pgserver.Server

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, pgserver.Options{Settings: map[string]string{
		"max_wal_senders": "150", "max_connections": "200", "max_replication_slots": "200",
	}}, func(s *pgserver.Server) { shared = s }))
}

var sources atomic.Int64

// source is a database that is ready for change data capture: a role, a table,
// a publication and a slot, with names that need quoting.
type source struct {
	t      *testing.T
	server *pgserver.Server
	target database.Target
}

const password = `p'w"d\ %:/?#`

func newSource(t *testing.T, server *pgserver.Server) *source {
	t.Helper()
	n := sources.Add(1)
	s := &source{t: t, server: server, target: database.Target{
		Endpoint: database.Endpoint{
			Hostname: "127.0.0.1", Port: server.Port(), SSL: true,
			Database: fmt.Sprintf(`So"urce %d`, n), Username: fmt.Sprintf(`cdc'"role %d`, n),
		},
		Passwords: database.Passwords{Main: password},
		Slot:      database.Slot{PublicationName: `pub'"lication`, SlotName: fmt.Sprintf("slot_%d", n), Status: database.SlotActive},
	}}
	s.admin("CREATE ROLE " + s.role() + " LOGIN REPLICATION PASSWORD " + literal(password))
	s.admin("CREATE DATABASE " + s.database())
	s.exec("CREATE TABLE t (id int PRIMARY KEY)")
	s.exec("GRANT SELECT ON t TO " + s.role())
	s.exec("CREATE PUBLICATION " + s.publication() + " FOR TABLE t")
	s.exec(s.createSlot())
	t.Cleanup(s.dropSlot)
	return s
}

func identifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
func literal(s string) string    { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (s *source) role() string        { return identifier(s.target.Endpoint.Username) }
func (s *source) database() string    { return identifier(s.target.Endpoint.Database) }
func (s *source) publication() string { return identifier(s.target.Slot.PublicationName) }
func (s *source) slot() string        { return literal(s.target.Slot.SlotName) }
func (s *source) createSlot() string {
	return "SELECT pg_create_logical_replication_slot(" + s.slot() + ", 'pgoutput')"
}

func (s *source) dropSlotSQL() string { return "SELECT pg_drop_replication_slot(" + s.slot() + ")" }

// dropSlot makes room for the sources of other tests.
func (s *source) dropSlot() {
	if _, err := s.server.Exec(context.Background(), "postgres",
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name = "+s.slot()); err != nil {
		s.t.Log(err)
	}
}

// exec runs SQL as the superuser in the source's database.
func (s *source) exec(sql string) string {
	s.t.Helper()
	return s.execIn(s.target.Endpoint.Database, sql)
}

// admin runs SQL as the superuser outside the source's database.
func (s *source) admin(sql string) string {
	s.t.Helper()
	return s.execIn("postgres", sql)
}

func (s *source) execIn(db, sql string) string {
	s.t.Helper()
	out, err := s.server.Exec(s.t.Context(), db, sql)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func (s *source) probe() database.Report {
	s.t.Helper()
	return prober(s.t).Probe(s.t.Context(), s.target)
}

func prober(t *testing.T) *probe.Prober {
	t.Helper()
	policy, err := egress.New("127.0.0.0/8,::1/128", "")
	if err != nil {
		t.Fatal(err)
	}
	return probe.New(policy)
}

// dialerFunc is a Dialer that is a function.
type dialerFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialerFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// entry is the report's entry with this code.
func entry(r database.Report, code database.Code) (database.Check, bool) {
	for _, c := range r {
		if c.Code == code {
			return c, true
		}
	}
	return database.Check{}, false
}

// status is the status of the report's first entry called name.
func status(r database.Report, name string) database.Status {
	for _, c := range r {
		if c.Name == name {
			return c.Status
		}
	}
	return ""
}

// describe is the report in lines, for failures of tests.
func describe(r database.Report) string {
	var b strings.Builder
	for _, c := range r {
		fmt.Fprintf(&b, "\n%-18s %-8s %s %s", c.Name, c.Status, c.Code, c.Message)
		if c.Fix != "" {
			fmt.Fprintf(&b, "\n  fix: %s", c.Fix)
		}
	}
	return b.String()
}
