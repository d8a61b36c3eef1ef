package verdicts_test

import (
	"context"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// blind is a prober whose judge of one check says that it passed, whatever it saw.
type blind struct {
	prober
	check string
}

func (b blind) Probe(ctx context.Context, t database.Target) database.Examination {
	var report check.Report
	x := b.prober.Probe(ctx, t)
	for _, e := range x.Report {
		if e.Name == b.check {
			e = check.Entry{Name: e.Name, Status: check.Passed}
		}
		report = append(report, e)
	}
	x.Report = report
	return x
}

// faulty is a scene for each check that has something to say of it.
func faulty() map[string]scene {
	choose := func(choices ...string) scene {
		s := scene{Choices: map[string]string{}, Tables: []string{"primary key"}}
		for i := 0; i < len(choices); i += 2 {
			s.Choices[choices[i]] = choices[i+1]
		}
		return s
	}
	return map[string]scene{
		check.Address:          choose("endpoint", "absent host"),
		check.Connection:       choose("endpoint", "closed port"),
		check.TLS:              choose("certificate", "none"),
		check.Authentication:   choose("password", "wrong"),
		check.Pooler:           choose("front", "PgBouncer"),
		check.ServerVersion:    choose(), // on a server of its own
		check.Standby:          choose("standby", "yes, without its primary"),
		check.WALLevel:         choose("settings", "wal_level replica"),
		check.ReplicationRole:  choose("role", "no replication"),
		check.WALSenders:       choose("settings", "no walsender left"),
		check.Publication:      choose("publication", "missing"),
		check.ReplicationSlot:  choose("slot", "missing"),
		check.PublicationOrder: choose("publication", "made after the slot", "pending", "a change"),
		check.Tables:           {Tables: []string{"no key"}},
	}
}

func TestVerdicts_BlindJudges(t *testing.T) {
	scenes := faulty()
	for _, name := range check.Names() {
		s, ok := scenes[name]
		if !ok {
			t.Errorf("no scene shows that a judge of %s is blind", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			j := newJudge(t)
			j.fixes = false
			if name == check.ServerVersion {
				j = j.on(unsupported(t))
			}
			if o := j.judge(t.Context(), s); o.err != nil || len(o.disagreements) > 0 {
				t.Errorf("with every judge:\n%s", o.describe())
			}
			j.prober = blind{j.prober, name}
			if o := j.judge(t.Context(), s); o.err != nil || len(o.disagreements) == 0 {
				t.Errorf("nothing is noticed:\n%s", o.describe())
			}
		})
	}
}

// unsupported are servers of the last major version that is rejected.
func unsupported(t *testing.T) *servers {
	t.Helper()
	installation, err := pgserver.Install(t.Context(), pgserver.UnsupportedMajor)
	if err != nil {
		t.Fatal(err)
	}
	old := &servers{installation: installation}
	t.Cleanup(old.stop)
	return old
}

// on judges scenes on other servers.
func (j judge) on(s *servers) judge {
	j.servers, j.major = s, s.installation.Major
	return j
}
