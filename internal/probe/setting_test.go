package probe_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// TestProbe_SettingFixes has settings that ALTER SYSTEM does not change, or that it has
// changed already.
func TestProbe_SettingFixes(t *testing.T) {
	t.Parallel()
	low := map[string]string{"wal_level": "replica", "max_wal_senders": "1", "max_replication_slots": "1"}
	codes := []check.Code{check.WALLevelNotLogical, check.WALSendersLow, check.NoSlotAvailable}
	for name, c := range map[string]struct {
		minMajor int
		options  pgserver.Options
		change   func(s *source)
		// start is how each fix starts, and has what is in it.
		start, has string
	}{
		"in a file": {12, pgserver.Options{Settings: low}, nil, "ALTER SYSTEM SET", "as a superuser"},
		"on the command line": {12, pgserver.Options{Arguments: []string{
			"-c", "wal_level=replica", "-c", "max_wal_senders=1", "-c", "max_replication_slots=1",
		}}, nil, "set ", "command line"},
		"changed, before a restart": {12, pgserver.Options{Settings: low}, func(s *source) {
			s.setSetting("wal_level", "logical")
			s.setSetting("max_wal_senders", "10")
			s.setSetting("max_replication_slots", "10")
		}, "restart the server", ""},
		"ALTER SYSTEM is off": {17, pgserver.Options{Settings: map[string]string{
			"wal_level": "replica", "max_wal_senders": "1", "max_replication_slots": "1", "allow_alter_system": "off",
		}}, nil, "set ", "allow_alter_system is off"},
	} {
		if major() < c.minMajor {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &source{t: t, server: pgtest.Start(t, c.options)}
			s.target = newTarget(sources.Add(1), s.server.Port())
			s.prepare()
			s.admin("SELECT pg_create_physical_replication_slot('taken')")
			if c.change != nil {
				c.change(s)
			}
			report := s.probe()
			applied := false
			for _, code := range codes {
				found, ok := entry(report, code)
				if !ok || !strings.HasPrefix(found.Fix, c.start) || !strings.Contains(found.Fix, c.has) {
					t.Errorf("the fix of %s is %q, want %q and %q:%s", code, found.Fix, c.start, c.has, describe(report))
				}
				if c.start != "set " && (c.change == nil || !applied) {
					s.apply(found.Fix)
					applied = true
				}
			}
			if !applied {
				return
			}
			after := s.probe()
			for _, code := range codes {
				if _, ok := entry(after, code); ok {
					t.Errorf("there is still %s:%s", code, describe(after))
				}
			}
		})
	}
}

func TestProbe_SettingFixOfSuperuser(t *testing.T) {
	t.Parallel()
	s := fewWALSenders(t, "1")
	s.admin("ALTER ROLE " + s.role() + " SUPERUSER")
	c, _ := entry(s.probe(), check.WALSendersLow)
	if strings.Contains(c.Fix, "superuser") {
		t.Errorf("the fix is %q", c.Fix)
	}
	owner := openSession(t, s.server, "postgres", nil)
	mustDo(t, owner, "SET SESSION AUTHORIZATION "+s.role())
	mustDo(t, owner, c.Fix)
}

func TestProbe_WALLevelOfPrimary(t *testing.T) {
	t.Parallel()
	p, err := newPair(decodingMajor(minDecodingMajor), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newReplica(t, p)
	s.admin("ALTER SYSTEM SET wal_level = replica")
	if err := s.primary.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.waitForReplay()
	c, ok := entry(s.probe(), check.WALLevelNotLogical)
	if !ok || !strings.Contains(c.Message, "the primary") {
		t.Fatalf("got %+v", c)
	}
	s.apply(c.Fix)
	s.waitForReplay()
	report := s.probe()
	if _, ok := entry(report, check.WALLevelNotLogical); ok {
		t.Error(describe(report))
	}
	// A lower wal_level has cost the slot. Each failure's fix mends it.
	for range 3 {
		for _, fix := range s.applyAll(s.probe()) {
			t.Log(fix)
		}
	}
	if failure, failed := s.probe().FirstFailure(); failed {
		t.Errorf("there is still %s: %s", failure.Code, failure.Message)
	}
}
