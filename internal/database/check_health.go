package database

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// DefaultHealthRefresh is how old the stored health of a database gets if nothing
// changes.
const DefaultHealthRefresh = time.Hour

// Checked is the outcome of the check of one database.
type Checked struct {
	Ref Ref
	// Skipped says that there was nothing to check: the database was deleted, or its slot
	// is disabled.
	Skipped bool
	Health  Health
	// Changed says that consumers have to be told.
	Changed bool
	// Err is why the database could not be checked. Its kind is Throttled, Unavailable,
	// UnknownOutcome or Internal. What is wrong with the target is in Health.
	Err error
}

// CheckHealth checks databases and stores what changed. All targets are connected to at
// the same time, so that one that does not answer delays no other: the caller bounds
// their number. The outcomes are in the order of refs.
func (s *Service) CheckHealth(ctx context.Context, refs []Ref) []Checked {
	checks := make([]Checked, len(refs))
	databases := make([]Database, len(refs))
	each(refs, func(i int) {
		checks[i].Ref = refs[i]
		d, err := s.Catalog.Get(ctx, refs[i].Account, refs[i].DatabaseID)
		switch {
		case apierror.KindOf(err) == apierror.NotFound, err == nil && d.Slot.Status == SlotDisabled:
			checks[i].Skipped = true
		case err != nil:
			checks[i].Err = fmt.Errorf("read database %s: %w", refs[i].DatabaseID, err)
		}
		databases[i] = d
	})
	passwords := s.healthPasswords(ctx, checks, databases)
	each(refs, func(i int) {
		if !checks[i].Skipped && checks[i].Err == nil {
			s.checkHealth(ctx, &checks[i], databases[i], passwords[i])
		}
	})
	return checks
}

// each calls do with every index of refs at the same time.
func each(refs []Ref, do func(i int)) {
	var calls sync.WaitGroup
	for i := range refs {
		calls.Go(func() { do(i) })
	}
	calls.Wait()
}

// healthPasswords returns the passwords of the databases that are to be checked, read in
// batches of one account. An error is that of every database in the batch.
func (s *Service) healthPasswords(ctx context.Context, checks []Checked, databases []Database) []Passwords {
	passwords := make([]Passwords, len(checks))
	accounts := map[string][]int{}
	for i, c := range checks {
		if !c.Skipped && c.Err == nil {
			accounts[c.Ref.Account] = append(accounts[c.Ref.Account], i)
		}
	}
	var reads sync.WaitGroup
	for _, indexes := range accounts {
		reads.Go(func() {
			batch := make([]Database, len(indexes))
			for n, i := range indexes {
				batch[n] = databases[i]
			}
			read, err := s.allPasswords(ctx, batch)
			for n, i := range indexes {
				if err != nil {
					checks[i].Err = fmt.Errorf("read passwords of database %s: %w", batch[n].ID, err)
					continue
				}
				passwords[i] = read[n]
			}
		})
	}
	reads.Wait()
	return passwords
}

// checkHealth checks d and stores what changed.
func (s *Service) checkHealth(ctx context.Context, c *Checked, d Database, p Passwords) {
	previous, err := s.Catalog.Health(ctx, d.Account, d.ID)
	if err != nil && apierror.KindOf(err) != apierror.NotFound {
		c.Err = fmt.Errorf("read health of database %s: %w", d.ID, err)
		return
	}
	next, err := s.nextHealth(ctx, previous, d, p)
	if apierror.KindOf(err) == apierror.NotFound {
		c.Skipped = true // deleted meanwhile
		return
	}
	if err != nil {
		c.Err = err
		return
	}
	c.Health, c.Changed = next.Health, previous.changed(next)
	if !previous.outdated(next, s.HealthRefresh) {
		return
	}
	next.Change, next.RequestID = previous.Change, previous.RequestID
	if c.Changed {
		object := d.Object()
		next.Change, next.RequestID, next.Database = uuid.NewString(), originOf(ctx).RequestID, &object
	}
	err = s.Catalog.PutHealth(ctx, next, previous.Change)
	switch {
	case errors.Is(err, ErrVersionConflict): // another check was first
		c.Changed = false
	case apierror.KindOf(err) == apierror.NotFound:
		c.Skipped, c.Changed = true, false
	case err != nil:
		c.Err = fmt.Errorf("store health of database %s: %w", d.ID, err)
	}
}

// nextHealth looks at d's target.
func (s *Service) nextHealth(ctx context.Context, previous HealthRecord, d Database, p Passwords) (HealthRecord, error) {
	report, slot, err := s.probeHealth(ctx, previous, d, p)
	if err != nil {
		return HealthRecord{}, err
	}
	// The API's times are in seconds, like those of events.
	now := s.Now().UTC().Truncate(time.Second)
	next := HealthRecord{Account: d.Account, DatabaseID: d.ID, Target: d.targetID(), Health: Health{CheckedAt: &now, Since: &now, Slot: slot}}
	next.Health.Status, next.Health.Checks = d.judgeHealth(report), report
	if previous.Target == next.Target && previous.Health.Status == next.Health.Status && previous.Health.Since != nil {
		next.Health.Since = previous.Health.Since
	}
	return next, nil
}

func (s *Service) probeHealth(ctx context.Context, previous HealthRecord, d Database, p Passwords) (check.Report, SlotState, error) {
	if d.SecretVersion != "" && p == (Passwords{}) {
		// The secret was gone when all were read.
		var err error
		if p, err = s.Passwords(ctx, d); err != nil {
			return nil, SlotState{}, err
		}
	}
	t, err := s.resolve(ctx, d.Account, d.target(p))
	if e, ok := errors.AsType[*apierror.Error](err); ok && e.Kind == apierror.Invalid {
		return passwordUnavailable(e.Fields), SlotState{}, nil
	}
	if err != nil {
		return nil, SlotState{}, err
	}
	report, slot, err := s.HealthProber.CheckHealth(ctx, t, s.HealthLimits.after(previous.Health.Checks.Codes()))
	if err != nil {
		return nil, SlotState{}, fmt.Errorf("check database %s: %w", d.ID, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, SlotState{}, apierror.New(apierror.Unavailable, "the check ran out of time", err)
	}
	return report, slot, nil
}

// Health returns the account's database that ref names, and what the last check found.
// The error's kind is as Get's.
func (s *Service) Health(ctx context.Context, account, ref string) (Database, Health, error) {
	d, err := s.Get(ctx, account, ref)
	if err != nil {
		return Database{}, Health{}, err
	}
	r, err := s.Catalog.Health(ctx, account, d.ID)
	if err != nil && apierror.KindOf(err) != apierror.NotFound {
		return Database{}, Health{}, fmt.Errorf("read health of database %s: %w", d.ID, err)
	}
	return d, r.of(d), nil
}
