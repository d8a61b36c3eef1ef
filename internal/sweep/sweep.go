// Package sweep finds the secrets that no database owns, which a create that
// was cut off or a delete that got half-way leaves, and has them deleted.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

const (
	// LeastAge is the least age at which a secret may be taken for an orphan:
	// more than a request runs, and than the ten minutes within which a
	// transaction of unknown outcome may be repeated.
	LeastAge = 15 * time.Minute

	// A sweep that would take more than mostOrphans secrets and more than this
	// share of those that it saw takes none: that many are no accident of a
	// request, but a sign that the catalog is not the one they belong to.
	mostOrphans  = 20
	mostPerCent  = 5
	hundred      = 100
	answerMargin = 2 * time.Second
)

// Secret is a secret that this deployment made for a database.
type Secret struct {
	Account, Database string
	CreatedAt         time.Time
}

// Catalog is asked whether a secret's database is there.
type Catalog interface {
	// Get is the account's database with that ID, by a consistent read; NotFound
	// where there is none.
	Get(ctx context.Context, account, id string) (database.Database, error)
}

// Vault is where the secrets are.
type Vault interface {
	// Secrets are this deployment's alone, without those that are scheduled for
	// deletion.
	Secrets(ctx context.Context) ([]Secret, error)
	// ScheduleDeletion removes the secret with days to restore it in. One that is
	// not there, or is to be removed already, counts as done.
	ScheduleDeletion(ctx context.Context, account, id string) error
}

// Sweeper schedules the deletion of secrets without a database.
type Sweeper struct {
	Catalog Catalog
	Vault   Vault
	// Now is the clock.
	Now func() time.Time
	// Age is how old a secret must be to be taken, at least LeastAge: a younger
	// one may be that of a create still under way.
	Age time.Duration
	Log *slog.Logger
}

// Report says what came of a sweep.
type Report struct {
	// Seen is how many secrets of this deployment there are, of any age.
	Seen int `json:"seen"`
	// Orphans is how many of them are old enough and have no database.
	Orphans int `json:"orphans"`
	// Scheduled is how many of these were scheduled for deletion.
	Scheduled int `json:"scheduled"`
}

// Sweep makes one sweep. Nothing is scheduled where the secrets can't all be
// listed, where the catalog does not answer for one of them, or where there are
// more orphans than requests leave. It ends before ctx does. What came of it is
// also logged: nobody waits for the answer that a schedule's event gets.
func (s *Sweeper) Sweep(ctx context.Context) (Report, error) {
	report, err := s.sweep(ctx)
	if err != nil {
		s.Log.ErrorContext(ctx, "not swept", "seen", report.Seen, "orphans", report.Orphans, "scheduled", report.Scheduled, "error", err)
		return report, err
	}
	s.Log.InfoContext(ctx, "swept", "seen", report.Seen, "orphans", report.Orphans, "scheduled", report.Scheduled)
	return report, nil
}

func (s *Sweeper) sweep(ctx context.Context) (Report, error) {
	if s.Age < LeastAge {
		return Report{}, fmt.Errorf("an age of %s is less than %s", s.Age, LeastAge)
	}
	ctx, cancel := early(ctx)
	defer cancel()
	secrets, err := s.Vault.Secrets(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("listing the secrets: %w", err)
	}
	report := Report{Seen: len(secrets)}
	orphans, err := s.orphans(ctx, secrets)
	if err != nil {
		return report, err
	}
	report.Orphans = len(orphans)
	if tooMany(report) {
		return report, fmt.Errorf("%d of %d secrets have no database: too many for an accident, so none was scheduled", report.Orphans, report.Seen)
	}
	report.Scheduled, err = s.schedule(ctx, orphans)
	return report, err
}

// tooMany tells a table that is not the secrets' own from what requests leave.
func tooMany(r Report) bool {
	return r.Orphans > mostOrphans && r.Orphans*hundred > r.Seen*mostPerCent
}

// schedule has each orphan deleted. One that can't be is no reason to leave the
// others; the first failure is returned, with how many there were.
func (s *Sweeper) schedule(ctx context.Context, orphans []Secret) (int, error) {
	var failures []error
	scheduled := 0
	for _, o := range orphans {
		if err := ctx.Err(); err != nil {
			failures = append(failures, err)
			break
		}
		if err := s.Vault.ScheduleDeletion(ctx, o.Account, o.Database); err != nil {
			failures = append(failures, fmt.Errorf("the secret of database %s: %w", o.Database, err))
			continue
		}
		scheduled++
		s.Log.InfoContext(ctx, "a secret without a database is scheduled for deletion", "account_id", o.Account, "database", o.Database)
	}
	if len(failures) > 0 {
		return scheduled, fmt.Errorf("%d of %d orphans were scheduled, for this reason not all: %w", scheduled, len(orphans), failures[0])
	}
	return scheduled, nil
}

// orphans are those of secrets that are old enough and whose database the
// catalog does not have. Any other doubt is an error.
func (s *Sweeper) orphans(ctx context.Context, secrets []Secret) ([]Secret, error) {
	before := s.Now().Add(-s.Age)
	var old []Secret
	for _, secret := range secrets {
		if secret.CreatedAt.Before(before) {
			old = append(old, secret)
		}
	}
	missing, err := s.missing(ctx, old)
	if err != nil {
		return nil, err
	}
	var orphans []Secret
	for i, secret := range old {
		if missing[i] {
			orphans = append(orphans, secret)
		}
	}
	return orphans, nil
}

// isMissing says whether the catalog is sure not to have the secret's database.
func (s *Sweeper) isMissing(ctx context.Context, secret Secret) (bool, error) {
	_, err := s.Catalog.Get(ctx, secret.Account, secret.Database)
	switch {
	case err == nil:
		return false, nil
	case apierror.KindOf(err) == apierror.NotFound:
		return true, nil
	}
	return false, fmt.Errorf("looking for database %s: %w", secret.Database, err)
}

// early is ctx with time left after its end to say what came of it.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, deadline.Add(-answerMargin), errors.New("the sweep ran out of time"))
}
