package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/requestlog"
)

// Created is a database that was registered, now or by the request that is being
// repeated.
type Created struct {
	Database Database
	// Passwords are those of the request, where they are known to be the
	// database's first ones; empty in a replay after a delete.
	Passwords Passwords
}

// Create registers a database: its name must be free and its target must pass
// every required check, or nothing is kept. With a key (an Idempotency-Key), a
// second call with the same payload gives the first one's result and does
// nothing. The error's kind is Invalid (with the code name_taken or that of the
// first failed check, and the report), Conflict (request_in_progress,
// idempotency_key_reused), Throttled or Unavailable (nothing was kept),
// UnknownOutcome or Internal.
func (s *Service) Create(ctx context.Context, account string, p Payload, key string) (Created, error) {
	work, cancel := reserve(ctx, cleanupTime)
	defer cancel()
	if key == "" {
		d, err := s.register(ctx, work, account, p, nil)
		return Created{d, p.Passwords}, err
	}
	mine, err := s.newClaim(account, p, key)
	if err != nil {
		return Created{}, err
	}
	held, err := s.Catalog.Claim(work, mine)
	if err != nil {
		return Created{}, fmt.Errorf("claiming the idempotency key: %w", err)
	}
	if held.Owner != mine.Owner {
		return s.replay(work, held, mine, p)
	}
	d, err := s.register(ctx, work, account, p, &mine)
	// Where the outcome is unknown the claim stays: the result may yet be
	// recorded under it, and a retry is to find that.
	if err != nil && apierror.KindOf(err) != apierror.UnknownOutcome {
		s.release(ctx, mine)
	}
	return Created{d, p.Passwords}, err
}

// register checks and keeps a new database, under a claim if there is one. work
// is ctx without the time that taking things back may need.
func (s *Service) register(ctx, work context.Context, account string, p Payload, c *Claim) (Database, error) {
	prepared := s.prepare(work)
	defer prepared()
	report, resolved, err := s.examineNew(work, account, p)
	if err != nil {
		return Database{}, err
	}
	p.Primary = learnNames(&p.Endpoint, p.Primary, resolved)
	d, err := s.draft(account, p, report)
	if err != nil {
		return Database{}, err
	}
	requestlog.SetDatabase(ctx, d.ID)
	if d.SecretVersion, err = s.Vault.Create(work, d, p.Passwords); err != nil {
		s.discard(ctx, d)
		return Database{}, fmt.Errorf("keeping the passwords of %s: %w", d.ID, err)
	}
	if err = s.Catalog.Insert(work, d, c); err == nil {
		return d, nil
	}
	// Where the outcome is unknown the database may yet be there, and must not
	// lose its passwords.
	if apierror.KindOf(err) != apierror.UnknownOutcome {
		s.discard(ctx, d)
	}
	switch {
	case errors.Is(err, ErrNameTaken):
		return Database{}, nameTaken(p.Name)
	case errors.Is(err, ErrClaimLost):
		return Database{}, requestInProgress()
	}
	return Database{}, fmt.Errorf("keeping database %s: %w", d.ID, err)
}

// prepare has the vault get ready while the target is looked at. What it gives
// ends that.
func (s *Service) prepare(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Vault.Prepare(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// DryRun does all that Create does before anything is kept.
func (s *Service) DryRun(ctx context.Context, account string, p Payload) (check.Report, error) {
	report, _, err := s.examineNew(ctx, account, p)
	return report, err
}

// examine looks at the name and the target side by side. A name that is taken
// does not wait for the target. The target comes back as it was dialled.
func (s *Service) examine(ctx context.Context, account string, nameFree func(context.Context) error, t Target) (check.Report, Target, error) {
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	named := make(chan error, 1)
	go func() {
		err := nameFree(ctx)
		if err != nil {
			cancel()
		}
		named <- err
	}()
	resolved, unresolved := s.resolve(probing, account, t)
	var report check.Report
	if unresolved == nil {
		report = s.Prober.Probe(probing, resolved)
	}
	if err := <-named; err != nil {
		return nil, t, err
	}
	if err := ctx.Err(); err != nil {
		return nil, t, apierror.New(apierror.Unavailable, "the request ran out of time; nothing was kept", err)
	}
	if unresolved != nil {
		return nil, t, unresolved
	}
	if failure, failed := report.FirstFailure(); failed {
		return nil, t, targetRefused(report, failure)
	}
	return report, resolved, nil
}

func (s *Service) examineNew(ctx context.Context, account string, p Payload) (check.Report, Target, error) {
	return s.examine(ctx, account, func(ctx context.Context) error { return s.nameFree(ctx, account, p.Name) },
		Target{Endpoint: p.Endpoint, Primary: p.Primary, Passwords: p.Passwords, Slot: p.Slot})
}

func (s *Service) nameFree(ctx context.Context, account, name string) error {
	_, err := s.Catalog.NameOwner(ctx, account, name)
	switch {
	case err == nil:
		return nameTaken(name)
	case apierror.KindOf(err) == apierror.NotFound:
		return nil
	}
	return fmt.Errorf("looking for the name: %w", err)
}

func (s *Service) draft(account string, p Payload, report check.Report) (Database, error) {
	id, err := newID()
	if err != nil {
		return Database{}, err
	}
	slotID, err := newID()
	if err != nil {
		return Database{}, err
	}
	now := s.Now().UTC()
	d := Database{
		ID: id, Account: account, Name: p.Name,
		Endpoint: p.Endpoint, Primary: p.Primary, Slot: p.Slot,
		Warnings: report.Warnings(), Version: 1, Change: id, CreatedAt: now, UpdatedAt: now,
	}
	d.Slot.ID = slotID
	return d, nil
}

// discard takes back the secret of a database that did not come to be. What it
// can't remove, the scheduled sweep finds: so a failure is logged, not returned.
func (s *Service) discard(ctx context.Context, d Database) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := s.Vault.Discard(ctx, d.Account, d.ID); err != nil {
		s.Log.WarnContext(ctx, "a secret without a database is left", "database", d.ID, "error", err)
	}
}
