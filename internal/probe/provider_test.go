package probe_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/ask"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/judge"
)

// TestReport_ProviderFixes judges answers, because no server of these providers is at
// hand.
func TestReport_ProviderFixes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, facts                string
		walLevel, keep, walsenders string
	}{
		{name: "self-hosted", walLevel: "ALTER SYSTEM", keep: "ALTER SYSTEM", walsenders: "ALTER SYSTEM"},
		{name: "RDS", facts: `,"rds.extensions":{"value":"x"}`, walLevel: "rds.logical_replication", keep: "parameter group", walsenders: "parameter group"},
		{name: "Cloud SQL", facts: `,"cloudsql.logical_decoding":{"value":"off"}`, walLevel: "cloudsql.logical_decoding", keep: "flag", walsenders: "flag"},
		{name: "Azure", facts: `,"azure.extensions":{"value":"x"}`, walLevel: "server parameter", keep: "server parameter", walsenders: "server parameter"},
		{name: "Neon", facts: `,"neon.endpoint_id":{"value":"x"}`, walLevel: "project", keep: "Neon", walsenders: "Neon"},
		{name: "Supabase", facts: `,"supautils.privileged_extensions":{"value":"x"}`, walLevel: "Supabase", keep: "Supabase", walsenders: "Supabase"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			report := judged(t, `{"server":{"version":160001,"backend_type":"walsender"},"settings":{"wal_level":{"value":"replica"},"max_wal_senders":{"value":"1"},"max_slot_wal_keep_size":{"value":"5"}`+
				c.facts+`},"walsenders":1,"publication":{"found":null},
"slot":{"found":{"slot_type":"logical","plugin":"pgoutput","restart_lsn":"0/1","safe_wal_size":1000000}}}`)
			for code, want := range map[check.Code]string{
				check.WALLevelNotLogical: c.walLevel, check.SlotAtRisk: c.keep, check.WALSendersLow: c.walsenders,
			} {
				found, ok := entry(report, code)
				if !ok || !strings.Contains(found.Fix, want) {
					t.Errorf("the fix of %s is %q, want %q in it", code, found.Fix, want)
				}
				if c.name != "self-hosted" && strings.Contains(found.Fix, "ALTER SYSTEM") {
					t.Errorf("the fix of %s is %q, which the provider does not permit", code, found.Fix)
				}
			}
		})
	}
}

func judged(t *testing.T, answer string) check.Report {
	t.Helper()
	report, err := judgeAnswer(newTarget(1, 5432), []byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestReport_EffectiveWALLevel(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]check.Status{
		`"wal_level":{"value":"replica"},"effective_wal_level":{"value":"logical"}`: check.Passed,
		`"wal_level":{"value":"replica"},"effective_wal_level":{"value":"replica"}`: check.Failed,
		`"wal_level":{"value":"logical"}`:                                           check.Passed,
		`"max_wal_senders":{"value":"1"}`:                                           check.Failed,
	} {
		report := judged(t, `{"server":{"version":190001,"backend_type":"walsender"},"settings":{`+settings+`},"publication":{"found":null},"slot":{"found":null}}`)
		if got := status(report, check.WALLevel); got != want {
			t.Errorf("%s: %s, want %s", settings, got, want)
		}
	}
}

// TestReport_InvalidatedSlot has the forms of all versions.
func TestReport_InvalidatedSlot(t *testing.T) {
	t.Parallel()
	for slot, dead := range map[string]bool{
		`"restart_lsn":null,"wal_status":"lost"`:                                                     true,
		`"restart_lsn":"0/1","wal_status":"lost"`:                                                    true,
		`"restart_lsn":"0/1","wal_status":"reserved","conflicting":true`:                             true,
		`"restart_lsn":"0/1","conflicting":false,"invalidation_reason":"wal_removed"`:                true,
		`"restart_lsn":"0/1","conflicting":false,"invalidation_reason":"idle_timeout"`:               true,
		`"restart_lsn":"0/1","wal_status":"reserved","conflicting":false,"invalidation_reason":null`: false,
		`"restart_lsn":"0/1"`: false,
	} {
		report := judged(t, `{"server":{"version":160001,"backend_type":"walsender"},"settings":{},"publication":{"found":null},
"slot":{"found":{"slot_type":"logical","plugin":"pgoutput",`+slot+`}}}`)
		if _, got := entry(report, check.SlotInvalidated); got != dead {
			t.Errorf("%s: dead is %v, want %v", slot, got, dead)
		}
	}
}

// TestReport_SlotOfUnknownDatabase drops no slot that may be one of another database.
func TestReport_SlotOfUnknownDatabase(t *testing.T) {
	t.Parallel()
	e := facts.Evidence{Reached: facts.LoggedIn}
	answer := `{"slot":{"found":{"slot_type":"logical","plugin":"pgoutput","wal_status":"lost"}}}`
	if err := ask.Decode(&e.Facts, []byte(answer), []facts.Part{facts.PartSlot}); err != nil {
		t.Fatal(err)
	}
	c, ok := entry(judge.Report(newTarget(1, 5432), e, nil), check.SlotInvalidated)
	if !ok || strings.Contains(c.Fix, "drop") {
		t.Errorf("got %+v", c)
	}
}

func TestReport_PoolerFix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host string
		port int
		want string
	}{
		{"ep-cool-1-pooler.eu-central-1.aws.neon.tech", 5432, `send "hostname": "ep-cool-1.eu-central-1.aws.neon.tech"`},
		{"aws-0-eu.pooler.supabase.com", 6543, `send "port": 5432 and the host of the direct connection`},
		{"db.example.com", 5432, "send the hostname and port of the server itself, not of the pooler"},
	} {
		target := newTarget(1, c.port)
		target.Endpoint.Hostname = c.host
		report, err := judgeAnswer(target, []byte(`{"server":{"backend_type":"client backend"},"settings":{},"publication":{"found":null},"slot":{"found":null}}`))
		if err != nil {
			t.Fatal(err)
		}
		if found, _ := entry(report, check.ConnectionPooler); found.Fix != c.want {
			t.Errorf("%s: the fix is %q, want %q", c.host, found.Fix, c.want)
		}
	}
}
