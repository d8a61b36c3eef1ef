package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

const (
	minDecodingMajor    = 16 // logical decoding on a standby
	minSyncMajor        = 17 // synced slots
	defaultStandbyMajor = 17 // if the shared server is older
	maxUnsupportedMajor = 15
)

// pair is a primary and its standby.
type pair struct{ primary, standby *pgserver.Server }

// pairs are started by the first test that needs one, and shared by all.
var pairs = struct {
	sync.Mutex
	starts map[int]func() (pair, error)
	all    []pair
}{starts: map[int]func() (pair, error){}}

func pairOf(t *testing.T, major int) pair {
	t.Helper()
	pairs.Lock()
	start, ok := pairs.starts[major]
	if !ok {
		start = sync.OnceValues(func() (pair, error) { return newPair(major, nil) })
		pairs.starts[major] = start
	}
	pairs.Unlock()
	p, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newPair starts a primary, and a standby that can sync slots from it.
func newPair(major int, settings map[string]string) (pair, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	installation := shared.Installation()
	var err error
	if installation.Major != major {
		installation, err = pgserver.Install(ctx, major)
	}
	if err != nil {
		return pair{}, err
	}
	var p pair
	if p.primary, err = pgserver.Start(ctx, pgserver.Options{Installation: installation, Settings: map[string]string{"max_wal_senders": "50"}}); err != nil {
		return p, err
	}
	own := map[string]string{"primary_conninfo": fmt.Sprintf("host=127.0.0.1 port=%d user=postgres password=%s dbname=postgres",
		p.primary.Port(), p.primary.SuperuserPassword())}
	for name, value := range settings {
		own[name] = value
	}
	p.standby, err = pgserver.StartStandby(ctx, p.primary, pgserver.Options{PrimarySlot: "for_standby", Settings: own})
	pairs.Lock()
	defer pairs.Unlock()
	pairs.all = append(pairs.all, p)
	return p, err
}

func stopPairs() {
	for _, p := range pairs.all {
		if p.standby != nil {
			p.standby.Stop()
		}
		p.primary.Stop()
	}
}

// decodingMajor returns the major version for tests of standbys that need at least
// minMajor.
func decodingMajor(minMajor int) int {
	if major() >= minMajor {
		return major()
	}
	return defaultStandbyMajor
}

// newReplica returns a healthy source on the standby of p.
func newReplica(t *testing.T, p pair) *source {
	t.Helper()
	s := &source{t: t, server: p.standby, primary: p.primary, target: newTarget(sources.Add(1), p.standby.Port())}
	s.prepare()
	s.waitForReplay()
	primary := s.target.Endpoint
	primary.Port = p.primary.Port()
	s.target.Primary, s.target.Passwords.Primary = &primary, password
	if p.standby.Installation().Major >= minDecodingMajor {
		s.slotOnStandby(s.createSlot())
		t.Cleanup(s.dropSlot)
	}
	return s
}

func (s *source) waitForReplay() {
	s.t.Helper()
	if err := pgserver.WaitForReplay(s.t.Context(), s.primary, s.server); err != nil {
		s.t.Fatal(err)
	}
}

// slotOnStandby runs SQL on the standby that waits until the primary logs its running
// transactions.
func (s *source) slotOnStandby(sql string) {
	s.t.Helper()
	made := make(chan error, 1)
	go func() {
		_, err := s.server.Exec(s.t.Context(), s.target.Endpoint.Database, sql)
		made <- err
	}()
	for {
		s.admin("SELECT pg_log_standby_snapshot()")
		select {
		case err := <-made:
			if err != nil {
				s.t.Fatalf("%s: %v", sql, err)
			}
			return
		default:
		}
	}
}

// standbyFindings returns the codes of the standby check.
func standbyFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.PrimaryRequired: {check.Standby, check.Failed, []state{
			{cause: "no primary", fix: advice, setup: replica(func(s *source) { s.target.Primary = nil }), repair: addPrimary},
		}},
		check.StandbyUnsupported: {check.Standby, check.Failed, []state{
			{cause: "a version without decoding on standbys", fix: advice, setup: func(t *testing.T) *source {
				return newReplica(t, pairOf(t, min(maxUnsupportedMajor, major())))
			}},
		}},
		check.PrimaryUnreachable: {check.Standby, check.Failed, []state{
			{cause: "nothing listens", fix: advice, setup: replica(func(s *source) { s.target.Primary.Port = closedPort(s.t) }), repair: addPrimary},
			{cause: "a wrong password", setup: replica(func(s *source) { s.target.Passwords.Primary = "wrong" })},
			{cause: "it accepts the role over TLS only", fix: advice, setup: tlsOnlyPrimary, repair: func(s *source) { s.target.Primary.SSL = true }},
			{cause: "it is not in DNS", setup: replica(func(s *source) { s.target.Primary.Hostname = "absent.invalid" })},
		}},
		check.PrimaryIsStandby: {check.Standby, check.Failed, []state{
			{cause: "it is the standby itself", fix: advice, setup: replica(func(s *source) { s.target.Primary.Port = s.server.Port() }), repair: addPrimary},
		}},
		check.PrimaryMismatch: {check.Standby, check.Failed, []state{
			{cause: "another cluster", fix: advice, setup: replica(func(s *source) {
				other := newSource(s.t, shared)
				*s.target.Primary = other.target.Endpoint
			}), repair: addPrimary},
			{cause: "another database", fix: advice, setup: replica(func(s *source) { s.target.Primary.Database = "postgres" }), repair: addPrimary},
		}},
		check.HotStandbyFeedbackOff: {check.Standby, check.Warned, []state{
			{cause: "it is off", fix: sql, setup: func(t *testing.T) *source {
				p, err := newPair(decodingMajor(minDecodingMajor), map[string]string{"hot_standby_feedback": "off"})
				if err != nil {
					t.Fatal(err)
				}
				return newReplica(t, p)
			}},
		}},
		check.PrimaryNotNeeded: {check.Standby, check.Warned, []state{
			{cause: "the database is a primary", fix: advice, setup: sourceWith(func(s *source) {
				primary := s.target.Endpoint
				s.target.Primary, s.target.Passwords.Primary = &primary, password
			}), repair: func(s *source) { s.target.Primary = nil }},
		}},
	}
}

// replica returns a setup of a source on a standby, after a change.
func replica(change func(s *source)) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		s := newReplica(t, pairOf(t, decodingMajor(minDecodingMajor)))
		change(s)
		return s
	}
}

func tlsOnlyPrimary(t *testing.T) *source {
	p, err := newPair(decodingMajor(minDecodingMajor), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newReplica(t, p)
	if err := p.primary.SetHBA(t.Context(), "hostssl all all 127.0.0.1/32 scram-sha-256"); err != nil {
		t.Fatal(err)
	}
	s.target.Primary.SSL = false
	return s
}

func addPrimary(s *source) {
	primary := s.target.Endpoint
	primary.Port = s.primary.Port()
	s.target.Primary, s.target.Passwords.Primary = &primary, password
}

func TestProbe_HealthyReplica(t *testing.T) {
	t.Parallel()
	report := replica(func(*source) {})(t).probe()
	for _, name := range check.Names() {
		if got := status(report, name); got != check.Passed {
			t.Errorf("%s is %s", name, got)
		}
	}
	if t.Failed() {
		t.Log(describe(report))
	}
}

func TestProbe_ReplicaFixes(t *testing.T) {
	t.Parallel()
	for code, change := range map[check.Code]string{
		check.SlotNotFound:           "",
		check.PublicationNotFound:    "DROP PUBLICATION %[1]s",
		check.TablesUnreadable:       "REVOKE SELECT ON t FROM %[2]s",
		check.ReplicaIdentityMissing: "ALTER TABLE t REPLICA IDENTITY NOTHING",
		check.PublicationAfterSlot:   "DROP PUBLICATION %[1]s; INSERT INTO t VALUES (1); CREATE PUBLICATION %[1]s FOR TABLE t",
	} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			testState(t, code, findings()[code], state{fix: sql, setup: replica(func(s *source) {
				if change == "" {
					s.dropSlot()
					return
				}
				s.exec(s.sql(change))
				s.waitForReplay()
			})})
		})
	}
}

// syncedSlot is a source on a standby whose slot is a copy of the primary's.
func syncedSlot(t *testing.T) *source {
	return syncedSlotOn(t, pairOf(t, decodingMajor(minSyncMajor)))
}

func syncedSlotOn(t *testing.T, p pair) *source {
	s := newReplica(t, p)
	s.target.Slot.SlotName += "_copied"
	s.exec(s.sql("SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput', false, false, true)"))
	t.Cleanup(func() {
		_, err := p.primary.Exec(context.Background(), "postgres", s.dropSlotSQL())
		if err != nil {
			t.Log(err)
		}
	})
	for range 100 {
		// The copy becomes permanent once the primary's slot is ahead of the standby.
		s.exec("SELECT pg_log_standby_snapshot()")
		s.exec("SELECT pg_replication_slot_advance(" + s.slot() + ", pg_current_wal_lsn())")
		s.waitForReplay()
		out, err := s.server.Exec(t.Context(), "postgres", "SELECT pg_sync_replication_slots(); SELECT synced AND NOT temporary FROM pg_replication_slots WHERE slot_name = "+s.slot())
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(out) == "t" {
			return s
		}
	}
	t.Fatal("the slot is not synced")
	return nil
}

func TestProbe_ReplicaAndPrimaryConcurrently(t *testing.T) {
	t.Parallel()
	s := replica(func(*source) {})(t)
	s.prober = prober(t)
	inner := s.prober.Client.Dialer
	both := make(chan struct{})
	var mu sync.Mutex
	dialled := 0
	s.prober.Client.Dialer = dialerFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		if dialled++; dialled == 2 {
			close(both)
		}
		mu.Unlock()
		select {
		case <-both:
			return inner.DialContext(ctx, network, address)
		case <-ctx.Done():
			return nil, errors.New("the other server was not dialled")
		}
	})
	if failure, failed := s.probe().FirstFailure(); failed {
		t.Errorf("%s: %s", failure.Code, failure.Message)
	}
}

func TestProbe_LoginTriggerOnStandby(t *testing.T) {
	t.Parallel()
	s := newReplica(t, pairOf(t, decodingMajor(minSyncMajor)))
	s.exec("CREATE TABLE logins (who text)")
	s.exec("GRANT INSERT ON logins TO PUBLIC")
	s.exec("CREATE FUNCTION log_login() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.logins VALUES (session_user); END'")
	s.exec("CREATE EVENT TRIGGER log_login ON login EXECUTE FUNCTION log_login()")
	s.exec("ALTER EVENT TRIGGER log_login ENABLE ALWAYS")
	s.waitForReplay()
	c, _ := s.probe().FirstFailure()
	if c.Code != check.ServerError || !strings.Contains(c.Message, "login trigger") || !strings.Contains(c.Message, "25006") || c.Fix == "" {
		t.Errorf("%s: %s (%s)", c.Code, c.Message, c.Fix)
	}
}
