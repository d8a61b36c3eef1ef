package sweep_test

import (
	"bytes"
	"context"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/sweep"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

var made = database.Making{Publication: true, Slot: true}

// interrupted leaves what a create leaves that was killed after it had made a slot.
func (b *bench) interrupted() database.Pending {
	b.t.Helper()
	d := b.orphan()
	d.Source.SystemIdentifier = storetest.ID()
	p := database.Pending{
		Account: d.Account, DatabaseID: d.ID, Endpoint: d.Endpoint, Primary: d.Primary, Slot: d.Slot, Source: d.Source,
		Making: made, SecretVersion: d.ID, CreatedAt: time.Now(),
	}
	if err := b.catalog.AddPending(storetest.Context(b.t), p); err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *bench) pending() int {
	b.t.Helper()
	all, err := b.catalog.AllPending(storetest.Context(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	return len(all)
}

// register registers another database with p's slot.
func (b *bench) register(p database.Pending) database.Database {
	b.t.Helper()
	d := storetest.Database(storetest.Account(), "orders")
	d.Endpoint, d.Slot, d.Source, d.SecretVersion = p.Endpoint, p.Slot, p.Source, ""
	if err := b.catalog.Insert(storetest.Context(b.t), d, nil); err != nil {
		b.t.Fatal(err)
	}
	return d
}

func TestSweep_InterruptedRequest(t *testing.T) {
	t.Parallel()
	t.Run("what it made is dropped, with the passwords of its secret, which is scheduled", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		p := b.interrupted()
		if got, want := b.sweep(), (sweep.Report{Seen: 1, Orphans: 1, Scheduled: 1, SlotsDropped: 1}); got != want {
			t.Errorf("report %+v, want %+v", got, want)
		}
		if !reflect.DeepEqual(b.target.dropped, []database.Making{made}) || b.pending() != 0 || !b.scheduled(database.Database{Account: p.Account, ID: p.DatabaseID}) {
			t.Errorf("dropped %v, %d items are left", b.target.dropped, b.pending())
		}
		if got, want := b.sweep(), (sweep.Report{}); got != want {
			t.Errorf("the second sweep reports %+v, want %+v", got, want)
		}
	})
	t.Run("one that may be in progress is left, with its secret", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.interrupted()
		b.Now = func() time.Time { return time.Now().Add(59 * time.Minute) }
		if got, want := b.sweep(), (sweep.Report{Seen: 1}); got != want || len(b.target.dropped) > 0 || b.pending() != 1 {
			t.Errorf("report %+v, want %+v; dropped %v", got, want, b.target.dropped)
		}
	})
	t.Run("a slot that another database has by now stays", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.register(b.interrupted())
		if got, want := b.sweep(), (sweep.Report{Seen: 1, Orphans: 1, Scheduled: 1}); got != want || len(b.target.dropped) > 0 || b.pending() != 0 {
			t.Errorf("report %+v, want %+v; dropped %v", got, want, b.target.dropped)
		}
	})
	t.Run("what a target refuses to drop is logged, and keeps its secret for the next sweep", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		p, orphan := b.interrupted(), b.orphan()
		b.target.findings = check.Report{check.Fail(check.ReplicationSlot, check.SlotActive, "it is in use", "")}
		report := b.sweep()
		if want := (sweep.Report{Seen: 2, Orphans: 1, Scheduled: 1}); report != want || !b.scheduled(orphan) {
			t.Errorf("report %+v, want %+v", report, want)
		}
		for _, text := range []string{p.DatabaseID, p.Endpoint.Hostname, p.Slot.SlotName, "replication_slot_active"} {
			if !strings.Contains(b.log.String(), text) {
				t.Errorf("the log lacks %q", text)
			}
		}
		b.target.findings = nil
		if got, want := b.sweep(), (sweep.Report{Seen: 1, Orphans: 1, Scheduled: 1, SlotsDropped: 1}); got != want || b.pending() != 0 {
			t.Errorf("the next sweep reports %+v, want %+v", got, want)
		}
	})
	t.Run("what a target refuses for a week is given up", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.interrupted()
		b.target.findings = check.Report{check.Fail(check.ReplicationSlot, check.SlotActive, "it is in use", "")}
		for _, step := range []struct {
			age     time.Duration
			pending int
			want    sweep.Report
		}{
			{6 * 24 * time.Hour, 1, sweep.Report{Seen: 1}},
			{8 * 24 * time.Hour, 0, sweep.Report{Seen: 1, Orphans: 1, Scheduled: 1}},
		} {
			b.Now = func() time.Time { return time.Now().Add(step.age) }
			if got := b.sweep(); got != step.want || b.pending() != step.pending {
				t.Errorf("after %v: report %+v, want %+v; %d items", step.age, got, step.want, b.pending())
			}
		}
	})
	t.Run("an update's database that was deleted lends its secret once more", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		p := b.interrupted()
		p.Registered = true
		if err := b.catalog.AddPending(storetest.Context(t), p); err != nil {
			t.Fatal(err)
		}
		if err := b.Vault.ScheduleDeletion(storetest.Context(t), p.Account, p.DatabaseID); err != nil {
			t.Fatal(err)
		}
		if got, want := b.sweep(), (sweep.Report{Seen: 1, Orphans: 1, Scheduled: 1, SlotsDropped: 1}); got != want || b.pending() != 0 {
			t.Errorf("report %+v, want %+v", got, want)
		}
	})
	t.Run("where the items can't be listed nothing is scheduled", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.interrupted()
		b.wire.Script("Query", broken)
		report, err := b.Sweep(short(t, 3*time.Second))
		if err == nil || report != (sweep.Report{}) {
			t.Errorf("report %+v, error %v", report, err)
		}
		b.wantLeft()
	})
}

// many has the pending items of several accounts, and keeps whose were undone. Their
// targets refuse.
type many struct {
	counted
	pending []database.Pending
	undone  []string
}

func (m *many) Interrupted(context.Context) ([]database.Pending, error) { return m.pending, nil }

func (m *many) Undo(_ context.Context, p database.Pending) (database.Undone, error) {
	m.undone = append(m.undone, p.Account)
	return database.Undone{}, apierror.New(apierror.Invalid, "it is in use", nil)
}

// TestSafety_SweepOfManyRequests has an account whose targets refuse, with more requests
// than the others, and names that a terminal could take for commands.
func TestSafety_SweepOfManyRequests(t *testing.T) {
	t.Parallel()
	m := &many{}
	for _, account := range []string{"a", "a", "a", "b", "c", "c"} {
		p := database.Pending{Account: account, Slot: database.Slot{PublicationName: "x\u202ey\u2028z"}, CreatedAt: time.Now().Add(-time.Hour)}
		m.pending = append(m.pending, p)
	}
	var log bytes.Buffer
	s := sweep.Sweeper{Catalog: m, Vault: m, Requests: m, Now: time.Now, Age: sweep.MinAge, Log: slog.New(slog.NewJSONHandler(&log, nil))}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Errorf("error %v", err)
	}
	if got := strings.Join(m.undone, ""); got != "abcaca" {
		t.Errorf("undone in the order %s, want abcaca", got)
	}
	if !strings.Contains(log.String(), `"publication":"x y z"`) {
		t.Errorf("log %s", log.String())
	}
}
