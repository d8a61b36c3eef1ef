package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/headgate/headgate/internal/apierror"
)

// Updated is a database after an update.
type Updated struct {
	Database Database
	// Passwords are known only where they had to be read, and empty otherwise.
	Passwords Passwords
}

// Update changes what p says of a database, and nothing else. Where the
// connection or the slot changes, the new state is checked on the target first,
// unless verify is false. The error's kind is NotFound, Invalid (bad fields,
// name_taken, or the code of the first failed check), Conflict
// (version_conflict), Throttled or Unavailable (nothing was changed),
// UnknownOutcome or Internal.
func (s *Service) Update(ctx context.Context, account, ref string, p Patch, verify bool) (Updated, error) {
	work, cancel := reserve(ctx, cleanupTime)
	defer cancel()
	old, err := s.Get(work, account, ref)
	if err != nil {
		return Updated{}, err
	}
	n, err := p.apply(old)
	if err != nil {
		return Updated{}, err
	}
	u := update{old: old, next: n.Database}
	if err := s.settlePasswords(work, &u, n); err != nil {
		return Updated{}, err
	}
	if u.nothing() {
		if p.sendsPassword() {
			s.promote(ctx, old) // the retry of an update that was cut off before its end
		}
		return Updated{old, u.passwords}, nil
	}
	if err := s.examineUpdate(work, &u, verify); err != nil {
		return Updated{}, err
	}
	if err := s.commit(ctx, work, &u); err != nil {
		return Updated{}, err
	}
	return Updated{u.next, u.passwords}, nil
}

// update is a change on its way: from what to what, and with which passwords,
// where those matter.
type update struct {
	old, next    Database
	passwords    Passwords
	newPasswords bool
}

func (u *update) retargets() bool { return u.newPasswords || !sameTarget(u.old, u.next) }

func (u *update) nothing() bool {
	return !u.retargets() && u.old.Name == u.next.Name && u.old.Slot == u.next.Slot
}

// settlePasswords finds out which passwords the new state has. They are read
// only where the target changes or one was sent: what was sent may be the same.
func (s *Service) settlePasswords(ctx context.Context, u *update, n next) error {
	if n.passwords.main == nil && n.passwords.primary == nil && sameTarget(u.old, u.next) {
		return nil
	}
	stored, err := s.Passwords(ctx, u.old)
	if err != nil {
		return err
	}
	u.passwords = stored
	set(&u.passwords.Main, n.passwords.main)
	set(&u.passwords.Primary, n.passwords.primary)
	if u.next.Endpoint.PasswordSecretARN != "" {
		u.passwords.Main = ""
	}
	if u.next.Primary == nil || u.next.Primary.PasswordSecretARN != "" {
		u.passwords.Primary = ""
	}
	u.newPasswords = u.passwords != stored
	return nil
}

// examineUpdate looks at the new name and at the target's new state.
func (s *Service) examineUpdate(ctx context.Context, u *update, verify bool) error {
	checkName, checkTarget := u.old.Name != u.next.Name, u.retargets() && verify
	switch {
	case checkTarget:
		free := func(context.Context) error { return nil }
		if checkName {
			free = func(ctx context.Context) error { return s.nameFree(ctx, u.next.Account, u.next.Name) }
		}
		report, resolved, err := s.examine(ctx, u.next.Account, free, Target{Endpoint: u.next.Endpoint, Primary: u.next.Primary, Passwords: u.passwords, Slot: u.next.Slot})
		if err != nil {
			return err
		}
		u.next.Warnings = report.Warnings()
		u.next.Primary = learnNames(&u.next.Endpoint, u.next.Primary, resolved)
	case checkName:
		if err := s.nameFree(ctx, u.next.Account, u.next.Name); err != nil {
			return err
		}
	}
	if u.retargets() && !verify {
		u.next.Warnings = nil // they were another target's
	}
	return nil
}

// commit makes the change. A new version of the secret is put under a label of
// its own first, and becomes the current one last: passwords are read by the
// version that the catalog names, so that both change at one instant, whatever
// fails in between.
func (s *Service) commit(ctx, work context.Context, u *update) error {
	change, err := newID()
	if err != nil {
		return err
	}
	u.next.Version, u.next.Change, u.next.UpdatedAt = u.old.Version+1, change, s.Now().UTC()
	newSecret := u.newPasswords || !sameSecret(u.old, u.next)
	if newSecret {
		if u.next.SecretVersion, err = s.Vault.AddVersion(work, u.next, u.passwords, change); err != nil {
			// Nothing names the version yet, whether or not it was kept.
			u.next.SecretVersion = change
			s.drop(ctx, u.next)
			return fmt.Errorf("keeping the new passwords of %s: %w", u.next.ID, err)
		}
	}
	err = s.Catalog.Update(work, u.old, u.next)
	if err == nil {
		if newSecret {
			s.promote(ctx, u.next)
		}
		return nil
	}
	if newSecret && apierror.KindOf(err) != apierror.UnknownOutcome {
		s.drop(ctx, u.next)
	}
	switch {
	case errors.Is(err, ErrNameTaken):
		return nameTaken(u.next.Name)
	case errors.Is(err, ErrVersionConflict):
		return versionConflict()
	}
	return fmt.Errorf("changing database %s: %w", u.next.ID, err)
}

// promote makes d's version of the secret the current one, for readers that go
// by the secret alone. Of two updates the later may come first here: so the
// catalog has the last word. A failure leaves only AWSCURRENT behind, which the
// next update mends; it is logged.
func (s *Service) promote(ctx context.Context, d Database) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	version := d.SecretVersion
	for range 3 {
		if err := s.Vault.Promote(ctx, d.Account, d.ID, version); err != nil {
			s.Log.WarnContext(ctx, "a secret's current version is not its newest", "database", d.ID, "error", err)
			return
		}
		latest, err := s.Catalog.Get(ctx, d.Account, d.ID)
		if err != nil || latest.SecretVersion == version {
			return // gone in the meantime, or in order
		}
		version = latest.SecretVersion
	}
}

// drop lets go of a version of the secret that did not come to be used.
func (s *Service) drop(ctx context.Context, d Database) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := s.Vault.DropVersion(ctx, d.Account, d.ID, d.SecretVersion); err != nil {
		s.Log.WarnContext(ctx, "an unused version of a secret is left", "database", d.ID, "error", err)
	}
}
