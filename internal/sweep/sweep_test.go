package sweep_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/sweep"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
	"github.com/headgate/headgate/internal/vault"
)

func TestSweep_Orphan(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	orphan, whole := b.orphan(), b.whole()
	if got, want := b.sweep(), (sweep.Report{Seen: 2, Orphans: 1, Scheduled: 1}); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
	if !b.scheduled(orphan) || b.scheduled(whole) {
		t.Error("the orphan is not scheduled, or the other secret is")
	}
	for _, request := range b.wire.Requests("DeleteSecret") {
		if !strings.Contains(request, `"RecoveryWindowInDays":7`) || strings.Contains(request, "Force") {
			t.Errorf("request %s has no recovery window of 7 days", request)
		}
	}
	if got, want := b.sweep(), (sweep.Report{Seen: 1}); got != want {
		t.Errorf("the second sweep reports %+v, want %+v", got, want)
	}
	if !strings.Contains(b.log.String(), orphan.ID) {
		t.Error("the log does not name the database")
	}
}

func TestSweep_DeletedDatabase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.whole()
	if err := b.catalog.Delete(storetest.Context(t), d); err != nil {
		t.Fatal(err)
	}
	if got := b.sweep(); got.Scheduled != 1 || !b.scheduled(d) {
		t.Errorf("report %+v", got)
	}
}

func TestSafety_SweepPasswordByReference(t *testing.T) {
	t.Parallel()
	t.Run("the secret of a database without passwords of its own is scheduled", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		d := b.orphan()
		d.SecretVersion = ""
		if err := b.catalog.Insert(storetest.Context(t), d, nil); err != nil {
			t.Fatal(err)
		}
		if got, want := b.sweep(), (sweep.Report{Seen: 1, Orphans: 1, Scheduled: 1}); got != want || !b.scheduled(d) {
			t.Errorf("report %+v, want %+v", got, want)
		}
	})
	t.Run("a secret that an update needs by now is restored", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		d := b.orphan()
		b.Catalog = &updatedMeanwhile{}
		report := b.sweep()
		if len(b.wire.Requests("DeleteSecret")) == 0 || b.scheduled(d) || report.Scheduled != 0 {
			t.Errorf("it was not scheduled, or is not restored: %+v", report)
		}
	})
}

// TestSafety_SweepSecondLookFails has a store that is away once a secret is scheduled.
func TestSafety_SweepSecondLookFails(t *testing.T) {
	t.Parallel()
	away, timeUp := errors.New("away"), errors.New("the time is up")
	for name, tt := range map[string]struct {
		cause   error // of the end of the sweep's time
		restore error
		left    int // secrets that stay scheduled
	}{
		"the secret is restored":                          {nil, nil, 0},
		"the secret is restored when the time is up too":  {timeUp, nil, 0},
		"a secret that can't be restored fails the sweep": {nil, errors.New("not restored"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			c := &counted{seen: 1, orphans: 1, notRestored: tt.restore}
			c.look = func() error {
				if c.deleted == 0 {
					return nil
				}
				if tt.cause != nil {
					cancel(tt.cause)
				}
				return away
			}
			s := sweep.Sweeper{Catalog: c, Vault: c, Requests: c, Now: time.Now, Age: sweep.MinAge, Log: slog.New(slog.DiscardHandler)}
			report, err := s.Sweep(ctx)
			if !errors.Is(err, away) || !errors.Is(err, tt.restore) && tt.restore != nil || report.Scheduled != 0 || c.deleted != tt.left {
				t.Errorf("report %+v with %d scheduled, error %v", report, c.deleted, err)
			}
		})
	}
}

// updatedMeanwhile is a catalog whose database gets a password of its own after the
// first look.
type updatedMeanwhile struct{ looked bool }

func (u *updatedMeanwhile) Get(_ context.Context, account, id string) (database.Database, error) {
	d := database.Database{ID: id, Account: account}
	if u.looked {
		d.SecretVersion = "v"
	}
	u.looked = true
	return d, nil
}

func TestSweep_YoungSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.orphan()
	b.Now = func() time.Time { return time.Now().Add(59 * time.Minute) }
	if got, want := b.sweep(), (sweep.Report{Seen: 1}); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
	b.wantLeft()
}

func TestSweep_SecretsOfOthers(t *testing.T) {
	t.Parallel()
	id, other := storetest.ID(), storetest.ID()
	tests := map[string]func(*bench){
		"table with the same prefix": func(b *bench) {
			b.orphanOf(vault.Config{Prefix: b.config.Prefix, Table: b.config.Table + "-2"})
		},
		"another prefix with the same table": func(b *bench) {
			b.orphanOf(vault.Config{Prefix: b.config.Prefix + "-2", Table: b.config.Table})
		},
		"no tags":                func(b *bench) { b.tagged(b.config.Prefix+"/acme/"+id, nil) },
		"table tag alone":        func(b *bench) { b.tagged(b.config.Prefix+"/acme/"+id, tags(b, "", "")) },
		"tag of another account": func(b *bench) { b.tagged(b.config.Prefix+"/acme/"+id, tags(b, "beta", id)) },
		"tag with another ID":    func(b *bench) { b.tagged(b.config.Prefix+"/acme/"+id, tags(b, "acme", other)) },
		"name without an ID":     func(b *bench) { b.tagged(b.config.Prefix+"/acme/settings", tags(b, "acme", "settings")) },
		"ID in braces": func(b *bench) {
			b.tagged(b.config.Prefix+"/acme/{"+id+"}", tags(b, "acme", "{"+id+"}"))
		},
		"account with a slash": func(b *bench) {
			b.tagged(b.config.Prefix+"/a/b/"+id, tags(b, "a/b", id))
		},
		"table in another tag": func(b *bench) {
			b.tagged(b.config.Prefix+"/acme/"+id, map[string]string{
				vault.TagTable: "else", "table": b.config.Table, vault.TagAccount: "acme", vault.TagDatabase: id,
			})
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			prepare(b)
			if got := b.sweep(); got != (sweep.Report{}) {
				t.Errorf("report %+v, want no secret seen", got)
			}
			b.wantLeft()
		})
	}
}

// tags returns the tags of a secret of the bench's table.
func tags(b *bench, account, id string) map[string]string {
	t := map[string]string{vault.TagTable: b.config.Table}
	if account != "" {
		t[vault.TagAccount], t[vault.TagDatabase] = account, id
	}
	return t
}

func TestSweep_Pages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for range 105 {
		b.tagged(b.config.Prefix+"/acme/"+storetest.ID(), tags(b, "acme", "another"))
	}
	for range 2 {
		b.orphan()
	}
	if got, want := b.sweep(), (sweep.Report{Seen: 2, Orphans: 2, Scheduled: 2}); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
	if n := len(b.wire.Requests("ListSecrets")); n != 2 {
		t.Errorf("%d pages, want 2", n)
	}
}

var broken = faultwire.Answer(http.StatusInternalServerError, "InternalServerError", nil)

func TestSweep_StoreFails(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"GetItem", "ListSecrets"} {
		for name, fault := range map[string]faultwire.Fault{
			"broken": broken, "throttled": faultwire.Answer(400, "ThrottlingException", nil), "hanging": faultwire.Hang,
			"denied": faultwire.Answer(400, "AccessDeniedException", nil), "away": faultwire.NoConnection,
		} {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				for range 3 {
					b.orphan()
				}
				b.wire.Script(operation, faultwire.Pass, fault)
				if operation == "ListSecrets" {
					b.wire.Script(operation, fault)
				}
				report, err := b.Sweep(short(t, 3*time.Second))
				if err == nil || report.Scheduled != 0 {
					t.Errorf("report %+v, error %v", report, err)
				}
				b.wantLeft()
				if !strings.Contains(b.log.String(), "ERROR") {
					t.Error("the log has no error")
				}
			})
		}
	}
}

func TestSweep_Retries(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"GetItem", "ListSecrets", "DeleteSecret"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.orphan()
			b.wire.Script(operation, broken, faultwire.LoseAnswer, faultwire.Pass)
			if got, want := b.sweep(), (sweep.Report{Seen: 1, Orphans: 1, Scheduled: 1}); got != want {
				t.Errorf("report %+v, want %+v", got, want)
			}
		})
	}
}

func TestSweep_OneDeletionFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for range 3 {
		b.orphan()
	}
	b.wire.Script("DeleteSecret", faultwire.Answer(400, "AccessDeniedException", nil), faultwire.Pass)
	report, err := b.Sweep(storetest.Context(t))
	if want := (sweep.Report{Seen: 3, Orphans: 3, Scheduled: 2}); err == nil || report != want {
		t.Errorf("report %+v, want %+v, error %v", report, want, err)
	}
}

// counted is a vault and a catalog with seen secrets. The first orphans of them
// have no database.
type counted struct {
	seen, orphans int
	deleted       int
	look          func() error // what a read fails with
	notRestored   error
}

func (c *counted) Secrets(context.Context) ([]sweep.Secret, error) {
	var all []sweep.Secret
	for i := range c.seen {
		all = append(all, sweep.Secret{Account: "acme", Database: fmt.Sprint(i)})
	}
	return all, nil
}

func (c *counted) Interrupted(context.Context) ([]database.Pending, error) { return nil, nil }

func (c *counted) Undo(context.Context, database.Pending) (database.Undone, error) {
	return database.Undone{}, nil
}

func (c *counted) ScheduleDeletion(context.Context, string, string) error {
	c.deleted++
	return nil
}

func (c *counted) GiveUp(context.Context, database.Pending) error { return nil }

func (c *counted) Restore(ctx context.Context, _, _ string) error {
	if err := cmp.Or(ctx.Err(), c.notRestored); err != nil {
		return err
	}
	c.deleted--
	return nil
}

func (c *counted) Get(_ context.Context, _, id string) (database.Database, error) {
	if c.look != nil {
		if err := c.look(); err != nil {
			return database.Database{}, err
		}
	}
	var n int
	if _, err := fmt.Sscan(id, &n); err != nil {
		return database.Database{}, err
	}
	if n < c.orphans {
		return database.Database{}, apierror.OfStore(apierror.NotFound, nil)
	}
	return database.Database{SecretVersion: "v"}, nil
}

func TestSweep_TooManyOrphans(t *testing.T) {
	t.Parallel()
	tests := []struct {
		seen, orphans int
		refused       bool
	}{
		{0, 0, false},
		{20, 20, false},
		{21, 21, true},
		{400, 20, false},
		{419, 21, true},
		{420, 21, false},
		{5000, 250, false},
		{5000, 251, true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d of %d", tt.orphans, tt.seen), func(t *testing.T) {
			t.Parallel()
			c := &counted{seen: tt.seen, orphans: tt.orphans}
			s := sweep.Sweeper{Catalog: c, Vault: c, Requests: c, Now: time.Now, Age: sweep.MinAge, Log: slog.New(slog.DiscardHandler)}
			report, err := s.Sweep(t.Context())
			want := sweep.Report{Seen: tt.seen, Orphans: tt.orphans, Scheduled: tt.orphans}
			if tt.refused {
				want.Scheduled = 0
			}
			if (err != nil) != tt.refused || report != want || c.deleted != want.Scheduled {
				t.Errorf("report %+v with %d deleted, want %+v, error %v", report, c.deleted, want, err)
			}
		})
	}
}

func TestSweep_NoTimeOrNoAge(t *testing.T) {
	t.Parallel()
	c := &counted{seen: 3, orphans: 3}
	s := sweep.Sweeper{Catalog: c, Vault: c, Requests: c, Now: time.Now, Age: sweep.MinAge, Log: slog.New(slog.DiscardHandler)}
	if _, err := s.Sweep(short(t, time.Second)); err == nil {
		t.Error("no error with no time left")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Sweep(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	s.Age--
	if _, err := s.Sweep(t.Context()); err == nil {
		t.Error("no error for an age under MinAge")
	}
	if c.deleted != 0 {
		t.Errorf("%d secrets were deleted", c.deleted)
	}
}
