package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/internal/apierror"
)

// Pending is what a request is about to make on a target. It is stored before that is
// made and removed with the write that needs it, so that what an interrupted request
// has made can be found and dropped.
type Pending struct {
	Account string `json:"account"`
	// ClaimKey is the Key of the create's Claim, empty without one.
	ClaimKey   string `json:"claim_key,omitempty"`
	DatabaseID string `json:"database"`
	// Registered says that the database existed before: the request is an update, and
	// the secret is the database's.
	Registered bool      `json:"registered,omitempty"`
	Endpoint   Endpoint  `json:"endpoint"`
	Primary    *Endpoint `json:"primary,omitempty"`
	Slot       Slot      `json:"slot"`
	Source     Source    `json:"source,omitzero"`
	Making     Making    `json:"making"`
	// SecretVersion has the passwords, empty where all are by reference.
	SecretVersion string    `json:"secret_version,omitempty"`
	CreatedAt     time.Time `json:"created_at"`
}

// database returns what is known of the database that p was for.
func (p Pending) database() Database {
	return Database{
		ID: p.DatabaseID, Account: p.Account, Endpoint: p.Endpoint, Primary: p.Primary, Slot: p.Slot,
		Source: p.Source, SecretVersion: p.SecretVersion,
	}
}

// newPending returns the item for what is about to be made for d.
func (s *Service) newPending(d Database, m Making, c *Claim) Pending {
	p := Pending{
		Account: d.Account, DatabaseID: d.ID, Endpoint: d.Endpoint, Primary: d.Primary, Slot: d.Slot, Source: d.Source,
		Making: m, SecretVersion: d.SecretVersion, CreatedAt: s.Now().UTC(), Registered: d.Version > 1,
	}
	if c != nil {
		p.ClaimKey = c.Key
	}
	return p
}

// Undone is the result of Undo.
type Undone struct {
	// Dropped is what was dropped on the target, or was not there any more.
	Dropped Making
	// Kept says that another registered database has the slot or the publication by now.
	Kept bool
}

// Interrupted returns the pending items of all accounts.
func (s *Service) Interrupted(ctx context.Context) ([]Pending, error) {
	return s.Catalog.AllPending(ctx)
}

// Undo drops what an interrupted request has made on its target, slot first, and then
// removes the item. The secret stays. A slot that a registered database has stays too,
// with its publication, and so does a publication that one has. The error says why something could not be dropped; the item is
// then kept, for another attempt.
func (s *Service) Undo(ctx context.Context, p Pending) (Undone, error) {
	undone, err := s.dropPending(ctx, p, s.restoredPasswords)
	if err != nil {
		return undone, err
	}
	return undone, s.Catalog.RemovePending(ctx, p)
}

// Recover undoes the requests that began before a time and were interrupted, and discards
// their secrets. It is for a store without a sweep. What can't be dropped is logged.
func (s *Service) Recover(ctx context.Context, before time.Time) error {
	pending, err := s.Catalog.AllPending(ctx)
	if err != nil {
		return fmt.Errorf("list interrupted requests: %w", err)
	}
	for _, p := range pending {
		if p.CreatedAt.Before(before) {
			s.undo(ctx, p)
		}
	}
	return nil
}

// GiveUp removes the item of an interrupted request whatever is left on its target.
func (s *Service) GiveUp(ctx context.Context, p Pending) error {
	return s.Catalog.RemovePending(ctx, p)
}

// undoAll is Undo, and discards the secret before it removes the item.
func (s *Service) undoAll(ctx context.Context, p Pending) error {
	if _, err := s.dropPending(ctx, p, s.pendingPasswords); err != nil {
		return err
	}
	if p.SecretVersion != "" && !p.Registered {
		if err := s.Vault.Discard(ctx, p.Account, p.DatabaseID); err != nil {
			return err
		}
	}
	return s.Catalog.RemovePending(ctx, p)
}

func (s *Service) dropPending(ctx context.Context, p Pending, read func(context.Context, Pending) (Passwords, error)) (Undone, error) {
	if p.Making == (Making{}) {
		return Undone{}, nil
	}
	d, making := p.database(), p.Making
	if making.Slot {
		release, users, err := s.hold(ctx, d, Database.SlotKey, nil)
		if err != nil {
			return Undone{}, err
		}
		if len(users) > 0 {
			return Undone{Kept: true}, nil
		}
		defer release()
	}
	if making.Publication {
		release, users, err := s.hold(ctx, d, Database.PublicationKey, nil)
		if err != nil {
			return Undone{}, err
		}
		making.Publication = len(users) == 0
		defer release()
	}
	kept := making != p.Making
	if making == (Making{}) {
		return Undone{Kept: kept}, nil
	}
	passwords, err := read(ctx, p)
	if err != nil {
		return Undone{}, err
	}
	t, err := s.resolve(ctx, p.Account, d.target(passwords))
	if err != nil {
		return Undone{}, err
	}
	dropped, report := s.Maker.Drop(ctx, t, p.Source, making)
	undone := Undone{Dropped: dropped, Kept: kept}
	if first, failed := report.FirstFailure(); failed {
		return undone, targetRefused(report, first)
	}
	return undone, nil
}

// pendingPasswords reads the passwords that p was made with.
func (s *Service) pendingPasswords(ctx context.Context, p Pending) (Passwords, error) {
	if p.SecretVersion == "" {
		return Passwords{}, nil
	}
	return s.Vault.Read(ctx, p.Account, p.DatabaseID, p.SecretVersion)
}

// restoredPasswords is pendingPasswords, and restores the secret of a database that was
// deleted since. The sweep schedules its deletion again.
func (s *Service) restoredPasswords(ctx context.Context, p Pending) (Passwords, error) {
	passwords, err := s.pendingPasswords(ctx, p)
	if apierror.KindOf(err) != apierror.NotFound || !p.Registered {
		return passwords, err
	}
	if err := s.Vault.Restore(ctx, p.Account, p.DatabaseID); err != nil {
		return Passwords{}, err
	}
	return s.pendingPasswords(ctx, p)
}

// keyOf is Database.SlotKey or Database.PublicationKey.
type keyOf func(Database) string

// hold keeps other requests from registering d's slot, or its publication, while it is
// dropped, until release is called or SlotHoldTime has passed. It does not hold what
// databases other than own have; it returns one of those. Entries of databases that no
// longer exist do not count: a restored table has such entries.
func (s *Service) hold(ctx context.Context, d Database, of keyOf, own []SlotUser) (release func(), others []SlotUser, err error) {
	release = func() {}
	key := of(d)
	if key == "" {
		return release, nil, nil
	}
	// A repeated request is the same holder, so that it need not wait after a crash.
	hold := SlotHold{Key: key, Holder: d.ID, Expected: own, Since: s.Now().UTC()}
	const maxAttempts = 3
	for range maxAttempts {
		err = s.Catalog.HoldSlot(ctx, hold)
		shared, ok := errors.AsType[*SlotSharedError](err)
		if !ok {
			break
		}
		if others, err = s.existing(ctx, d, of, shared.Users, own, 1); err != nil || len(others) > 0 {
			return release, others, err
		}
		hold.Expected = shared.Users
		err = ErrSlotHeld // while the entries keep changing
	}
	if errors.Is(err, ErrSlotHeld) {
		return release, nil, slotHeld(err)
	}
	if err != nil {
		return release, nil, err
	}
	release = func() {
		free := func(ctx context.Context) error { return s.Catalog.ReleaseSlot(ctx, hold) }
		s.cleanup(ctx, "a replication slot or a publication can't be registered for half a minute", free)
	}
	return release, nil, nil
}

// existing returns up to limit of the users, other than own, whose databases exist and
// have what d has, those of d's account first. It reads no more databases than it needs
// for that: a slot may have many users.
func (s *Service) existing(ctx context.Context, d Database, of keyOf, users, own []SlotUser, limit int) ([]SlotUser, error) {
	var mine, theirs, found []SlotUser
	for _, u := range users {
		switch {
		case slices.Contains(own, u):
		case u.Account == d.Account:
			mine = append(mine, u)
		default:
			theirs = append(theirs, u)
		}
	}
	for _, u := range append(mine, theirs...) {
		if len(found) == limit {
			break
		}
		other, err := s.Catalog.Get(ctx, u.Account, u.DatabaseID)
		switch {
		case apierror.KindOf(err) == apierror.NotFound:
		case err != nil:
			return nil, err
		case of(other) == of(d):
			u.Name = other.Name
			found = append(found, u)
		}
	}
	return found, nil
}
