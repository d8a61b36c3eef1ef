package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/requestlog"
)

// Created is a database that was registered, by this call or by the call that
// this one repeats.
type Created struct {
	Database Database
	// Passwords are the payload's. They are empty in a repetition after the
	// database was deleted.
	Passwords Passwords
}

// Create registers a database. Nothing is kept unless its name is free and its
// target passes every required check. With a key (an Idempotency-Key), a second
// call with the same payload returns the result of the first and does nothing.
// The error's kind is Invalid (with the code name_taken, or the report and the
// code of the first failed check), Conflict (request_in_progress,
// idempotency_key_reused), Throttled or Unavailable (nothing was kept),
// UnknownOutcome or Internal.
func (s *Service) Create(ctx context.Context, account string, p Payload, key string) (Created, error) {
	work, cancel := withoutCleanupTime(ctx, p.Target.Creation)
	defer cancel()
	if key == "" {
		d, err := s.register(ctx, work, account, p, nil)
		return Created{d, p.Target.Passwords}, err
	}
	mine, err := s.newClaim(account, p, key)
	if err != nil {
		return Created{}, err
	}
	held, err := s.Catalog.Claim(work, mine)
	if err != nil {
		return Created{}, fmt.Errorf("claim idempotency key: %w", err)
	}
	if held.Owner != mine.Owner {
		return s.replay(work, held, mine, p)
	}
	d, err := s.register(ctx, work, account, p, &mine)
	// After an unknown outcome the result may still be recorded under the claim,
	// where a retry must find it.
	if err != nil && apierror.KindOf(err) != apierror.UnknownOutcome {
		s.release(ctx, mine)
	}
	return Created{d, p.Target.Passwords}, err
}

// DryRunCreate does what Create does before it keeps anything.
func (s *Service) DryRunCreate(ctx context.Context, account string, p Payload) (check.Report, error) {
	d := requested(account, p.Target)
	x, _, err := s.examine(ctx, d, p.Target, s.nameFree(account, p.Name))
	if err != nil {
		return nil, err
	}
	return s.sharedReport(ctx, s.startShared(ctx, d), x)
}

// register checks and keeps a new database, under a claim if there is one. work
// is ctx without the time for a clean-up. While another request drops the slot, register
// begins again.
func (s *Service) register(ctx, work context.Context, account string, p Payload, c *Claim) (Database, error) {
	if err := s.takeOver(work, p.Target.Creation, c); err != nil {
		return Database{}, err
	}
	var held error
	for {
		d, err := s.registerOnce(ctx, work, account, p, c)
		switch {
		case errors.Is(err, ErrSlotHeld) && apierror.KindOf(err) != apierror.UnknownOutcome:
			held = err
		case held != nil && work.Err() != nil && apierror.KindOf(err) == apierror.Unavailable:
			return Database{}, slotHeld(held)
		default:
			return d, err
		}
		if !pause(work) {
			return Database{}, slotHeld(held)
		}
	}
}

func (s *Service) registerOnce(ctx, work context.Context, account string, p Payload, c *Claim) (Database, error) {
	endPrepare := s.prepareVault(work)
	defer endPrepare()
	x, dialled, err := s.examine(work, requested(account, p.Target), p.Target, s.nameFree(account, p.Name))
	if err != nil {
		return Database{}, err
	}
	p.Target = p.Target.withUsernames(dialled)
	d, err := s.draft(account, p, x, originOf(ctx))
	if err != nil {
		return Database{}, err
	}
	requestlog.SetDatabase(ctx, d.ID)
	if d.needsSecret() {
		stored, err := s.Vault.Create(work, d, p.Target.Passwords)
		if err != nil {
			s.discard(ctx, d)
			return Database{}, fmt.Errorf("create secret of database %s: %w", d.ID, err)
		}
		d.setSecret(stored)
	}
	if x.Missing != (Making{}) {
		return s.registerMaking(ctx, work, d, dialled, x, c)
	}
	if err = s.insert(work, &d, c); err == nil {
		return d, nil
	}
	// After an unknown outcome the database may exist, and needs its passwords.
	if d.needsSecret() && apierror.KindOf(err) != apierror.UnknownOutcome {
		s.discard(ctx, d)
	}
	return Database{}, insertRefused(err, d)
}

// insert inserts d. If other databases have its slot, d gets a warning that says so.
func (s *Service) insert(ctx context.Context, d *Database, c *Claim, options ...WriteOption) error {
	return s.writeSharing(ctx, d, func(options ...WriteOption) error {
		return s.Catalog.Insert(ctx, *d, c, options...)
	}, options)
}

// writeSharing writes d, and once more with a warning if other databases have its slot.
// An attempt of the first write that may still land makes the outcome of the second
// unknown, unless that succeeds or the claim is lost.
func (s *Service) writeSharing(ctx context.Context, d *Database, write func(...WriteOption) error, options []WriteOption) error {
	first := write(options...)
	shared, ok := errors.AsType[*SlotSharedError](first)
	if !ok {
		return first
	}
	users, err := s.sharing(ctx, *d, shared.Users)
	if err == nil {
		if w, ok := slotShared(*d, users); ok {
			d.Warnings = check.BoundedWarnings(append(d.Warnings, w))
		}
		if len(shared.Users) >= MaxSlotUsers {
			d.Source = Source{}
		}
		err = write(append(options, ShareSlot())...)
	}
	if err != nil && apierror.KindOf(first) == apierror.UnknownOutcome && !errors.Is(err, ErrClaimLost) {
		return apierror.New(apierror.UnknownOutcome, "an earlier attempt may still be in progress", errors.Join(err, first))
	}
	return err
}

// insertRefused returns the error of a create whose insert returned err.
func insertRefused(err error, d Database) error {
	switch {
	case errors.Is(err, ErrNameTaken):
		return nameTaken(d.Name)
	case errors.Is(err, ErrClaimLost):
		return requestInProgress()
	case errors.Is(err, ErrPendingGone):
		return outOfTime(err)
	}
	return fmt.Errorf("insert database %s: %w", d.ID, err)
}

// prepareVault lets the vault connect while the target is examined, until end is
// called.
func (s *Service) prepareVault(ctx context.Context) (end func()) {
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

// requested returns what is known of a database before its target is examined.
func requested(account string, t Target) Database {
	return Database{Account: account, Endpoint: t.Endpoint, Slot: t.Slot}
}

// examine probes t, the target of d, while nameFree runs; its error ends the probe.
// examine returns what was found of a target that passed, and t as it was dialled. In the
// report of one that is refused, the fixes leave the slot to the other databases of the
// account that have it.
func (s *Service) examine(ctx context.Context, d Database, t Target, nameFree func(context.Context) error) (Examination, Target, error) {
	var (
		x          Examination
		dialled    Target
		unresolved error
	)
	g, probing := errgroup.WithContext(ctx)
	g.Go(func() error { return nameFree(ctx) })
	g.Go(func() error {
		if dialled, unresolved = s.resolve(probing, d.Account, t); unresolved == nil {
			x = s.Prober.Probe(probing, dialled)
			unresolved = x.busy()
		}
		return nil // the error of nameFree comes first, whichever was earlier
	})
	if err := g.Wait(); err != nil {
		return Examination{}, Target{}, err
	}
	if err := ctx.Err(); err != nil {
		return Examination{}, Target{}, outOfTime(err)
	}
	if unresolved != nil {
		return Examination{}, Target{}, unresolved
	}
	if _, refused := x.Report.FirstFailure(); !refused {
		return x, dialled, nil
	}
	var err error
	x.Report, err = s.sharedReport(ctx, s.startShared(ctx, d), x)
	return x, dialled, cmp.Or(err, x.refusal())
}

func outOfTime(err error) error {
	return apierror.New(apierror.Unavailable, "the request ran out of time; nothing was kept", err)
}

// refusal returns the error of a target that failed a check.
func (x Examination) refusal() error {
	failure, failed := x.Report.FirstFailure()
	if !failed {
		return nil
	}
	e := targetRefused(x.Report, failure)
	if len(x.Fields) > 0 {
		e.Fields = x.Fields
	}
	return e
}

// nameFree returns the function that fails with name_taken where a database of
// the account has the name.
func (s *Service) nameFree(account, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.Catalog.NameOwner(ctx, account, name)
		switch {
		case err == nil:
			return nameTaken(name)
		case apierror.KindOf(err) == apierror.NotFound:
			return nil
		}
		return fmt.Errorf("find name %s: %w", name, err)
	}
}

func (s *Service) draft(account string, p Payload, x Examination, by Origin) (Database, error) {
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
		Endpoint: p.Target.Endpoint, Primary: p.Target.Primary, Slot: p.Target.Slot,
		Annotations: p.Annotations, Replaces: p.Replaces,
		Version: 1, Change: id, ChangedBy: by, CreatedAt: now, UpdatedAt: now,
	}
	d.Slot.ID = slotID
	d.examined(x)
	return d, nil
}

// discard removes the secret of a database that was not registered.
func (s *Service) discard(ctx context.Context, d Database) {
	remove := func(ctx context.Context) error { return s.Vault.Discard(ctx, d.Account, d.ID) }
	s.cleanup(ctx, secretLeft, remove, "database", d.ID)
}

// secretLeft is logged where only the scheduled sweep will remove a secret.
const secretLeft = "a secret without a database is left"
