package probe_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/probe/ask"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/judge"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// shared is the server that most tests share; each test has a source of its own on it.
var shared *pgserver.Server

// noPipelining runs all tests without pipelining the statement.
var noPipelining = flag.Bool("no-pipelining", false, "send the first statement after the login")

func TestMain(m *testing.M) {
	code := pgtest.Main(m, pgserver.Options{Settings: map[string]string{
		"max_wal_senders": "150", "max_connections": "200", "max_replication_slots": "200",
	}}, func(s *pgserver.Server) { shared = s })
	stopPairs()
	os.Exit(code)
}

// major returns the major version of the shared server.
func major() int { return shared.Installation().Major }

var sources atomic.Int64

// source is a database that is ready for change data capture: it has a role, a
// table, a publication and a slot, with names that need quoting.
type source struct {
	t      *testing.T
	server *pgserver.Server
	target database.Target

	primary *pgserver.Server // set if server is a standby
	prober  *probe.Prober    // nil for the default
	limit   time.Duration    // of a probe; 0 for the probe's own timeout
	// makes is whether a probe is followed by making what is missing.
	makes   bool
	release func() // ends what is in the way
}

const password = `p'w"d\ %:/?#`

func newSource(t *testing.T, server *pgserver.Server) *source {
	t.Helper()
	s := &source{t: t, server: server, target: newTarget(sources.Add(1), server.Port())}
	s.prepare()
	s.exec(s.createSlot())
	t.Cleanup(s.dropSlot)
	return s
}

// prepare creates everything except the slot.
func (s *source) prepare() {
	s.t.Helper()
	s.admin("CREATE ROLE " + s.role() + " LOGIN REPLICATION PASSWORD " + literal(password))
	s.admin("CREATE DATABASE " + s.database())
	s.exec("CREATE TABLE t (id int PRIMARY KEY)")
	s.exec("GRANT SELECT ON t TO " + s.role())
	s.exec("CREATE PUBLICATION " + s.publication() + " FOR TABLE t")
}

func newTarget(n int64, port int) database.Target {
	return database.Target{
		Endpoint: database.Endpoint{
			Hostname: "127.0.0.1", Port: port, SSL: true,
			Database: fmt.Sprintf(`So"urce %d`, n), Username: fmt.Sprintf(`cdc'"role %d`, n),
		},
		Passwords: database.Passwords{Main: password},
		Slot:      database.Slot{PublicationName: `pub'"lication`, SlotName: fmt.Sprintf("slot_%d", n), Status: database.SlotActive},
	}
}

// newTargetSource returns a source without a server: only its target is set.
func newTargetSource(t *testing.T, port int) *source {
	t.Helper()
	return &source{t: t, target: newTarget(sources.Add(1), port), limit: time.Second}
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

// dropSlot frees a slot for the sources of other tests.
func (s *source) dropSlot() {
	if _, err := s.server.Exec(context.Background(), "postgres",
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name = "+s.slot()); err != nil {
		s.t.Log(err)
	}
}

// exec runs SQL as the superuser in the source's database, on the primary if there is one.
func (s *source) exec(sql string) string {
	s.t.Helper()
	return s.execIn(s.target.Endpoint.Database, sql)
}

// admin runs SQL as the superuser in the database postgres.
func (s *source) admin(sql string) string {
	s.t.Helper()
	return s.execIn("postgres", sql)
}

func (s *source) execIn(db, sql string) string {
	s.t.Helper()
	server := s.server
	if s.primary != nil {
		server = s.primary
	}
	out, err := server.Exec(s.t.Context(), db, sql)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func (s *source) probe() check.Report {
	s.t.Helper()
	p, ctx := s.prober, s.t.Context()
	if p == nil {
		p = prober(s.t)
	}
	if s.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.limit)
		defer cancel()
	}
	x := p.Probe(ctx, s.target)
	wantDisplayable(s.t, x.Report)
	if _, failed := x.Report.FirstFailure(); failed || !s.makes {
		return x.Report
	}
	made, report := p.Make(ctx, s.target, x.Missing)
	wantDisplayable(s.t, report)
	if len(report) == 0 {
		return p.Probe(ctx, s.target).Report
	}
	if made != (database.Making{}) || s.rest() != (database.Making{}) {
		s.t.Errorf("made %v, there is %v, after%s", made, s.rest(), describe(report))
	}
	return report
}

// apply does what a fix says: it executes a statement as it is printed, in the
// source's database and as the role that its comment names, and then what the comment
// says.
func (s *source) apply(fix string) {
	s.t.Helper()
	_, comment, _ := strings.Cut(fix, " -- ")
	server := s.server
	if strings.Contains(comment, "on the primary") && !strings.Contains(comment, "on the standby") || strings.HasPrefix(fix, "restart the primary") {
		server = s.primary
	}
	if !strings.HasPrefix(fix, "restart ") {
		s.applySQL(server, fix, comment)
	}
	var err error
	switch {
	case strings.HasPrefix(fix, "restart "), strings.Contains(comment, "then restart"):
		err = server.Restart(s.t.Context())
	case strings.Contains(comment, "pg_reload_conf()"):
		err = server.Reload(s.t.Context())
	case server == s.primary:
		err = pgserver.WaitForReplay(s.t.Context(), s.primary, s.server)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if _, field, ok := strings.Cut(comment, `send "slot_name": "`); ok {
		s.target.Slot.SlotName, _, _ = strings.Cut(field, `"`)
		s.t.Cleanup(s.dropSlot)
	}
}

// applyFinding is apply for a finding. What concerns the publication and its tables is
// executed by the role that the message names, or by the caller's.
func (s *source) applyFinding(c check.Entry) {
	s.t.Helper()
	if c.Name != check.Tables && c.Name != check.Publication || s.primary != nil {
		s.apply(c.Fix)
		return
	}
	conn := openSession(s.t, s.server, s.target.Endpoint.Database, nil)
	role := s.role()
	if _, named, ok := strings.Cut(c.Message, "run the fix as role "); ok {
		role, _, _ = strings.Cut(named, ", the owner")
	}
	if strings.Contains(c.Message, "run the fix as the owner of the database") {
		role = s.admin("SELECT quote_ident(pg_get_userbyid(datdba)) FROM pg_database WHERE datname = " + literal(s.target.Endpoint.Database))
	}
	if !strings.HasSuffix(c.Message, "run the fix as a superuser") {
		mustDo(s.t, conn, "SET SESSION AUTHORIZATION "+role)
	}
	mustDo(s.t, conn, c.Fix)
	_ = conn.Close(context.Background())
}

// applySQL executes a fix. The caller's own role executes what concerns slots, unless
// the comment names another one, and the superuser the rest.
func (s *source) applySQL(server *pgserver.Server, fix, comment string) {
	s.t.Helper()
	if strings.Contains(comment, "on the standby; SELECT pg_log_standby_snapshot()") {
		s.slotOnStandby(fix)
		return
	}
	db := s.target.Endpoint.Database
	if strings.HasPrefix(comment, "in another database") {
		db = "postgres"
	}
	conn := openSession(s.t, server, db, nil)
	if strings.HasPrefix(fix, "SELECT pg_") && !strings.Contains(comment, "as a superuser") {
		mustDo(s.t, conn, "SET SESSION AUTHORIZATION "+s.role())
	}
	mustDo(s.t, conn, fix)
	_ = conn.Close(context.Background())
}

// openSession opens a session of the superuser that ends with the test.
func openSession(t *testing.T, server *pgserver.Server, db string, params map[string]string) *pgconn.PgConn {
	t.Helper()
	config, err := pgconn.ParseConfig("user=postgres sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.Port, config.Database = server.SocketDirectory(), uint16(server.Port()), db
	config.Fallbacks = nil
	config.RuntimeParams = params
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustDo(t *testing.T, conn *pgconn.PgConn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// send sends SQL and does not wait for the answer.
func send(t *testing.T, conn *pgconn.PgConn, sql string) {
	t.Helper()
	conn.Frontend().SendQuery(&pgproto3.Query{String: sql})
	if err := conn.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
}

func prober(t *testing.T) *probe.Prober {
	t.Helper()
	policy, err := egress.New("127.0.0.0/8,::1/128", "")
	if err != nil {
		t.Fatal(err)
	}
	p := probe.New(policy)
	p.Client.NoPipelining = *noPipelining
	return p
}

// judgeAnswer returns the report on a server that gave this answer, and that is its
// own primary.
func judgeAnswer(target database.Target, answer []byte) (check.Report, error) {
	target.Primary = &target.Endpoint
	e := facts.Evidence{Reached: facts.LoggedIn}
	err := ask.Decode(&e.Facts, answer, facts.TargetParts())
	return judge.Report(target, e, &e), err
}

// resolverFunc implements ask.Resolver.
type resolverFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return f(ctx, network, host)
}

// resolvingTo returns a Prober for which every host has these addresses.
func resolvingTo(t *testing.T, addresses ...string) *probe.Prober {
	t.Helper()
	p := prober(t)
	p.Client.Resolver = resolverFunc(func(context.Context, string, string) ([]netip.Addr, error) {
		var found []netip.Addr
		for _, a := range addresses {
			found = append(found, netip.MustParseAddr(a))
		}
		return found, nil
	})
	return p
}

// dialerFunc implements ask.Dialer.
type dialerFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialerFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// entry returns the report's first entry with this code.
func entry(r check.Report, code check.Code) (check.Entry, bool) {
	for _, c := range r {
		if c.Code == code {
			return c, true
		}
	}
	return check.Entry{}, false
}

// status returns the status of the report's first entry called name.
func status(r check.Report, name string) check.Status {
	for _, c := range r {
		if c.Name == name {
			return c.Status
		}
	}
	return ""
}

// describe returns the report as lines of text.
func describe(r check.Report) string {
	var b strings.Builder
	for _, c := range r {
		fmt.Fprintf(&b, "\n%-18s %-8s %s %s", c.Name, c.Status, c.Code, c.Message)
		if c.Fix != "" {
			fmt.Fprintf(&b, "\n  fix: %s", c.Fix)
		}
	}
	return b.String()
}
