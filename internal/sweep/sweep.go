// Package sweep finds what interrupted requests leave behind: slots and publications that
// they have made on targets, which it drops, and secrets that no database needs, whose
// deletion it schedules.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

const (
	// MinAge is the minimum age of an orphan. It is longer than a request runs, and
	// than the 10 minutes for which a transaction with an ambiguous outcome can be
	// repeated.
	MinAge = 15 * time.Minute

	// A sweep deletes nothing if it finds more than maxOrphans orphans and they are
	// more than maxOrphanPercent of all secrets. So many mean that this is not the
	// secrets' catalog, rather than that requests were interrupted.
	maxOrphans       = 20
	maxOrphanPercent = 5

	// reportTime is how long before the deadline a sweep ends, to report.
	reportTime = 2 * time.Second

	// restoreTimeout is within reportTime.
	restoreTimeout = 1500 * time.Millisecond

	// maxConcurrentReads leaves most of the table's capacity to requests.
	maxConcurrentReads = 8
)

// Secret is a secret that this deployment created for a database.
type Secret struct {
	Account, Database string
	// ChangedAt is when the secret or one of its versions was created or changed.
	ChangedAt time.Time
}

// Catalog has the databases.
type Catalog interface {
	// Get returns a database by a consistent read. The error's kind is NotFound if
	// it does not exist.
	Get(ctx context.Context, account, id string) (database.Database, error)
}

// Vault has the secrets.
type Vault interface {
	// Secrets returns this deployment's secrets, without those that are scheduled
	// for deletion.
	Secrets(ctx context.Context) ([]Secret, error)
	// ScheduleDeletion deletes a secret with a recovery window. A secret that is
	// scheduled already, or does not exist, is no error.
	ScheduleDeletion(ctx context.Context, account, id string) error
	// Restore takes back ScheduleDeletion.
	Restore(ctx context.Context, account, id string) error
}

// Requests has the requests that were making something on a target.
type Requests interface {
	// Interrupted returns the pending items of all accounts, of any age.
	Interrupted(ctx context.Context) ([]database.Pending, error)
	// Undo drops what a request has made, and removes its item.
	Undo(ctx context.Context, p database.Pending) (database.Undone, error)
	// GiveUp removes the item of a request whatever it has made.
	GiveUp(ctx context.Context, p database.Pending) error
}

// Sweeper drops what interrupted requests have made on targets, and schedules the
// deletion of secrets without a database.
type Sweeper struct {
	Catalog  Catalog
	Vault    Vault
	Requests Requests
	Now      func() time.Time
	// Age is how old a secret without a database, or an interrupted request, must be, at
	// least MinAge: a younger one may be in progress.
	Age time.Duration
	Log *slog.Logger
}

// Report is the result of a sweep.
type Report struct {
	// Seen is the number of this deployment's secrets, of any age.
	Seen int `json:"seen"`
	// Orphans is the number of those that are old enough and have no database.
	Orphans int `json:"orphans"`
	// Scheduled is the number of orphans whose deletion was scheduled.
	Scheduled int `json:"scheduled"`
	// SlotsDropped is the number of slots that interrupted requests had made.
	SlotsDropped int `json:"slots_dropped"`
}

// attrs returns r for the log.
func (r Report) attrs(more ...any) []any {
	return append([]any{"seen", r.Seen, "orphans", r.Orphans, "scheduled", r.Scheduled, "slots_dropped", r.SlotsDropped}, more...)
}

// Sweep makes one sweep. What a target does not let it drop is logged, and tried again
// for a week; its secret stays as long. Sweep schedules nothing unless it can list all
// secrets and look up every database, or if there are too many orphans. It ends 2
// seconds before ctx, and logs its report, because nothing reads the response to a
// schedule's event.
func (s *Sweeper) Sweep(ctx context.Context) (Report, error) {
	report, err := s.sweep(ctx)
	if err != nil {
		s.Log.ErrorContext(ctx, "not swept", report.attrs("error", err)...)
		return report, err
	}
	s.Log.InfoContext(ctx, "swept", report.attrs()...)
	return report, nil
}

func (s *Sweeper) sweep(ctx context.Context) (Report, error) {
	if s.Age < MinAge {
		return Report{}, fmt.Errorf("sweep secrets: age %s is under %s", s.Age, MinAge)
	}
	ctx, cancel := withReportTime(ctx)
	defer cancel()
	var report Report
	pending, err := s.Requests.Interrupted(ctx)
	if err != nil {
		return report, fmt.Errorf("list interrupted requests: %w", err)
	}
	left, notDropped := s.undo(ctx, pending, &report)
	err = s.sweepSecrets(ctx, left, &report)
	return report, errors.Join(notDropped, err)
}

// sweepSecrets schedules the deletion of orphans, except those of the requests that are
// left: they are needed to drop what those have made.
func (s *Sweeper) sweepSecrets(ctx context.Context, left []database.Pending, report *Report) error {
	secrets, err := s.Vault.Secrets(ctx)
	if err != nil {
		return fmt.Errorf("list secrets: %w", err)
	}
	report.Seen = len(secrets)
	needed := map[Secret]bool{}
	for _, p := range left {
		needed[Secret{Account: p.Account, Database: p.DatabaseID}] = true
	}
	orphans, err := s.orphans(ctx, slices.DeleteFunc(secrets, func(secret Secret) bool {
		return needed[Secret{Account: secret.Account, Database: secret.Database}]
	}))
	if err != nil {
		return err
	}
	report.Orphans = len(orphans)
	if tooMany(*report) {
		return fmt.Errorf("sweep secrets: %d of %d have no database: too many to delete", report.Orphans, report.Seen)
	}
	report.Scheduled, err = s.schedule(ctx, orphans)
	return err
}

func tooMany(r Report) bool {
	return r.Orphans > maxOrphans && r.Orphans*100 > r.Seen*maxOrphanPercent
}

// schedule schedules the deletion of each orphan. It continues after a failure and
// returns the first one.
func (s *Sweeper) schedule(ctx context.Context, orphans []Secret) (int, error) {
	var first error
	scheduled := 0
	for _, o := range orphans {
		if ctx.Err() != nil {
			first = errors.Join(first, context.Cause(ctx))
			break
		}
		done, err := s.scheduleOne(ctx, o)
		if err != nil && first == nil {
			first = fmt.Errorf("schedule secret of database %s: %w", o.Database, err)
		}
		if !done {
			continue
		}
		scheduled++
		s.Log.InfoContext(ctx, "a secret without a database is scheduled for deletion", "account_id", o.Account, "database", o.Database)
	}
	if first != nil {
		return scheduled, fmt.Errorf("sweep secrets: %d of %d orphans are scheduled: %w", scheduled, len(orphans), first)
	}
	return scheduled, nil
}

// scheduleOne schedules the deletion of an orphan, and takes it back unless no database
// needs the secret still: an update may have replaced a reference by a password. The next
// sweep sees what was taken back. scheduleOne reports whether the secret is scheduled.
func (s *Sweeper) scheduleOne(ctx context.Context, o Secret) (bool, error) {
	if err := s.Vault.ScheduleDeletion(ctx, o.Account, o.Database); err != nil {
		return false, err
	}
	missing, err := s.isMissing(ctx, o)
	if err == nil && missing {
		return true, nil
	}
	// The time may be up, which is why the look failed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreTimeout)
	defer cancel()
	return false, errors.Join(err, s.Vault.Restore(ctx, o.Account, o.Database))
}

// orphans returns the secrets that are old enough and have no database. Every
// other error of the catalog is returned.
func (s *Sweeper) orphans(ctx context.Context, secrets []Secret) ([]Secret, error) {
	before := s.Now().Add(-s.Age)
	var old []Secret
	for _, secret := range secrets {
		if secret.ChangedAt.Before(before) {
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

// missing reports for each secret whether no database needs it.
func (s *Sweeper) missing(ctx context.Context, secrets []Secret) ([]bool, error) {
	missing := make([]bool, len(secrets))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentReads)
	for i, secret := range secrets {
		group.Go(func() (err error) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			missing[i], err = s.isMissing(ctx, secret)
			return err
		})
	}
	return missing, group.Wait()
}

func (s *Sweeper) isMissing(ctx context.Context, secret Secret) (bool, error) {
	d, err := s.Catalog.Get(ctx, secret.Account, secret.Database)
	switch {
	case err == nil:
		return d.SecretVersion == "", nil // its passwords are by reference
	case apierror.KindOf(err) == apierror.NotFound:
		return true, nil
	}
	return false, fmt.Errorf("get database %s: %w", secret.Database, err)
}

// withReportTime ends ctx 2 seconds early.
func withReportTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, deadline.Add(-reportTime), errors.New("the sweep ran out of time"))
}
