package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// cleanupTime is what a request keeps back of its time, to take away again what
// it could not finish.
const cleanupTime = 2 * time.Second

// Service does what the API promises, whoever calls it.
type Service struct {
	Catalog Catalog
	Vault   Vault
	Prober  Prober
	// Now is the clock.
	Now func() time.Time
	// Log is told of what could not be taken back.
	Log *slog.Logger
}

// Create registers a database: its name must be free and its target must pass
// every required check, or nothing is kept. The error's kind is Invalid (with
// the code name_taken or that of the first failed check, and the report),
// Throttled or Unavailable (nothing was kept), UnknownOutcome or Internal.
func (s *Service) Create(ctx context.Context, account string, p Payload) (Database, error) {
	work, cancel := reserve(ctx, cleanupTime)
	defer cancel()
	report, err := s.examine(work, account, p)
	if err != nil {
		return Database{}, err
	}
	d, err := s.draft(account, p, report)
	if err != nil {
		return Database{}, err
	}
	if d.SecretVersion, err = s.Vault.Create(work, d, p.Passwords); err != nil {
		s.discard(ctx, d)
		return Database{}, fmt.Errorf("keeping the passwords of %s: %w", d.ID, err)
	}
	if err = s.Catalog.Insert(work, d); err == nil {
		return d, nil
	}
	// Where the outcome is unknown the database may yet be there, and must not
	// lose its passwords.
	if KindOf(err) != UnknownOutcome {
		s.discard(ctx, d)
	}
	if errors.Is(err, ErrNameTaken) {
		return Database{}, nameTaken(p.Name)
	}
	return Database{}, fmt.Errorf("keeping database %s: %w", d.ID, err)
}

// DryRun does all that Create does before anything is kept.
func (s *Service) DryRun(ctx context.Context, account string, p Payload) (Report, error) {
	return s.examine(ctx, account, p)
}

// examine looks at the name and the target side by side. A name that is taken
// does not wait for the target.
func (s *Service) examine(ctx context.Context, account string, p Payload) (Report, error) {
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	named := make(chan error, 1)
	go func() {
		err := s.nameFree(ctx, account, p.Name)
		if err != nil {
			cancel()
		}
		named <- err
	}()
	report := s.Prober.Probe(probing, Target{
		Endpoint: p.Endpoint, Primary: p.Primary, Passwords: p.Passwords, Slot: p.Slot,
	})
	if err := <-named; err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, NewError(Unavailable, "the request ran out of time; nothing was kept", err)
	}
	if failure, failed := report.FirstFailure(); failed {
		return nil, refused(report, failure)
	}
	return report, nil
}

func (s *Service) nameFree(ctx context.Context, account, name string) error {
	_, err := s.Catalog.NameOwner(ctx, account, name)
	switch {
	case err == nil:
		return nameTaken(name)
	case KindOf(err) == NotFound:
		return nil
	}
	return fmt.Errorf("looking for the name: %w", err)
}

func (s *Service) draft(account string, p Payload, report Report) (Database, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Database{}, NewError(Internal, "no ID could be made", err)
	}
	slotID, err := uuid.NewV7()
	if err != nil {
		return Database{}, NewError(Internal, "no ID could be made", err)
	}
	now := s.Now().UTC()
	d := Database{
		ID: id.String(), Account: account, Name: p.Name,
		Endpoint: p.Endpoint, Primary: p.Primary, Slot: p.Slot,
		Warnings: report.Warnings(), Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	d.Slot.ID = slotID.String()
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

// refused is the error of a target that failed a check.
func refused(report Report, first Check) *Error {
	summary := fmt.Sprintf("the database can't be used as a source yet: %s", first.Message)
	if n := report.count(Failed); n > 1 {
		summary = fmt.Sprintf("the database can't be used as a source yet, for %d reasons; the first: %s", n, first.Message)
	}
	return &Error{Kind: Invalid, Code: first.Code, Summary: summary, Fields: FieldErrors{}, Checks: report}
}

// reserve is ctx with a deadline that is earlier by d.
func reserve(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-d))
}
