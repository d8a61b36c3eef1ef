package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// Updated is a database after an update.
type Updated struct {
	Database Database
	// Passwords are empty where the update did not have to read them.
	Passwords Passwords
	// LeftOnTarget is nil unless the update has moved to a slot that it may have made.
	LeftOnTarget *LeftOnTarget
}

// Update changes the fields of a database that p has. If the connection or the
// slot changes, the target is checked in its new state first, unless verify is
// false. The error's kind is NotFound, Invalid (bad fields, name_taken, or the
// report and the code of the first failed check), Conflict (version_conflict),
// Throttled or Unavailable (nothing was changed), UnknownOutcome or Internal.
func (s *Service) Update(ctx context.Context, account, ref string, p Patch, verify bool) (Updated, error) {
	work, cancel := withoutCleanupTime(ctx, p.creation())
	defer cancel()
	u, err := s.prepareUpdate(work, account, ref, p, verify)
	if err != nil {
		return Updated{}, err
	}
	if !u.changes() && !u.creation.wanted() {
		if p.sendsPassword() {
			// An earlier attempt may have ended between the commit and this.
			s.promote(ctx, u.old)
		}
		return Updated{Database: u.old, Passwords: u.passwords}, nil
	}
	var held error
	for {
		err := s.examineUpdate(work, &u, verify)
		if held != nil && work.Err() != nil && apierror.KindOf(err) == apierror.Unavailable {
			return Updated{}, slotHeld(held)
		}
		if err != nil {
			return Updated{}, err
		}
		if !u.changes() && u.found.Missing == (Making{}) {
			return Updated{Database: u.old, Passwords: u.passwords}, nil
		}
		err = s.commit(ctx, work, &u)
		if err == nil {
			return Updated{u.next, u.passwords, s.leftBy(ctx, u)}, nil
		}
		if !errors.Is(err, ErrSlotHeld) || apierror.KindOf(err) == apierror.UnknownOutcome {
			return Updated{}, err
		}
		if held = err; !pause(work) {
			return Updated{}, slotHeld(held)
		}
	}
}

// DryRunUpdate checks what Update would change and changes nothing. Whatever verify is,
// it looks at the target, with the stored passwords where p has none, and returns the
// report of a target that passed. The errors are as Update's.
func (s *Service) DryRunUpdate(ctx context.Context, account, ref string, p Patch, verify bool) (check.Report, error) {
	u, err := s.prepareUpdate(ctx, account, ref, p, verify)
	if err != nil {
		return nil, err
	}
	if u.passwords == (Passwords{}) {
		// They were not read because none of them changes.
		if u.passwords, err = s.Passwords(ctx, u.old); err != nil {
			return nil, err
		}
	}
	shared := s.startShared(ctx, u.next)
	x, _, err := s.examine(ctx, u.next, u.target(), s.newNameFree(u))
	report, sharedErr := s.sharedReport(ctx, shared, x)
	return report, cmp.Or(err, sharedErr)
}

// update is a change of a database.
type update struct {
	old, next Database
	// passwords are those of next. They are empty where neither the target nor a
	// password changes.
	passwords    Passwords
	newPasswords bool
	creation     Creation

	// found is what was found on the target, dialled the target as it was dialled. Both
	// are empty where it was not looked at.
	found   Examination
	dialled Target
	// shared has the warning that other databases have the slot.
	shared []check.Warning
}

// target returns what a probe of next needs.
func (u *update) target() Target {
	t := u.next.target(u.passwords)
	t.Creation = u.creation
	return t
}

// changedPasswords returns the fields of the passwords that differ.
func changedPasswords(a, b Passwords) []string {
	var fields []string
	if a.Main != b.Main {
		fields = append(fields, "password")
	}
	if a.Primary != b.Primary {
		fields = append(fields, "primary.password")
	}
	return fields
}

// retargets reports whether the target of the database changes.
func (u *update) retargets() bool { return u.newPasswords || !sameTarget(u.old, u.next) }

// movesHost reports whether the target may be on another server.
func (u *update) movesHost() bool {
	return u.old.Endpoint.Hostname != u.next.Endpoint.Hostname || u.old.Endpoint.Port != u.next.Endpoint.Port
}

func (u *update) renames() bool { return u.old.Name != u.next.Name }

func (u *update) changes() bool {
	return u.retargets() || u.renames() || u.old.Slot != u.next.Slot || u.old.Annotations != u.next.Annotations
}

// prepareUpdate applies p to the database, whose target is checked if verify is true. It reads the stored passwords only
// where the target changes or a password was sent, which may be the same.
func (s *Service) prepareUpdate(ctx context.Context, account, ref string, p Patch, verify bool) (update, error) {
	if !verify && p.creation().wanted() {
		p.faults.Add("verify", "must not be false together with create_if_not_exists: only a check shows what is missing")
	}
	old, err := s.Get(ctx, account, ref)
	if err != nil {
		return update{}, err
	}
	next, err := p.apply(Payload{Name: old.Name, Target: old.target(Passwords{}), Annotations: old.Annotations})
	if err != nil {
		return update{}, err
	}
	u := update{old: old, next: old, creation: next.Target.Creation}
	u.next.ChangedBy, u.next.ChangedPasswords = originOf(ctx), nil
	u.next.Name, u.next.Annotations = next.Name, next.Annotations
	u.next.setTarget(next.Target)
	if p.sameCreation && sameTarget(u.old, u.next) {
		u.creation = Creation{}
	}
	if !p.sendsPassword() && sameTarget(u.old, u.next) && !u.creation.wanted() {
		return u, nil
	}
	stored, err := s.Passwords(ctx, old)
	if err != nil {
		return update{}, err
	}
	u.passwords = p.passwords(stored, next.Target)
	u.newPasswords = u.passwords != stored
	u.next.ChangedPasswords = changedPasswords(u.passwords, stored)
	return u, nil
}

// newNameFree returns the check of a new name.
func (s *Service) newNameFree(u update) func(context.Context) error {
	if u.renames() {
		return s.nameFree(u.next.Account, u.next.Name)
	}
	return func(context.Context) error { return nil }
}

// examineUpdate checks the new name and the new target.
func (s *Service) examineUpdate(ctx context.Context, u *update, verify bool) error {
	nameFree := s.newNameFree(*u)
	if !u.retargets() && !u.creation.wanted() {
		return nameFree(ctx)
	}
	if !verify {
		if err := s.IAM.refusal(u.next.Account, u.target()); err != nil {
			return err
		}
		u.next.Warnings, u.next.Known = nil, nil // those of the old target
		if u.movesHost() {
			u.next.Source = Source{}
		}
		return cmp.Or(nameFree(ctx), s.openNew(ctx, u))
	}
	t := u.target()
	shared := s.startShared(ctx, u.next)
	var err error
	u.found, u.dialled, err = s.examine(ctx, u.next, t, nameFree)
	warnings, sharedErr := s.ofSource(ctx, shared, u.found.Source)
	if err = cmp.Or(err, sharedErr); err != nil {
		return err
	}
	u.next.setTarget(t.withUsernames(u.dialled))
	u.shared = warnings
	u.examined(u.found)
	return nil
}

// examined takes over what an examination found. A write that moves to another slot finds
// out itself who else has it.
func (u *update) examined(x Examination) {
	u.next.examined(x)
	if u.next.SlotKey() == u.old.SlotKey() {
		u.next.Warnings = check.BoundedWarnings(append(u.next.Warnings, u.shared...))
	}
}

// commit writes the change. New passwords are added as a version of the secret
// before the catalog names that version, and it becomes the current version last.
// Passwords are read by the version that the catalog names, so both change in one
// step.
func (s *Service) commit(ctx, work context.Context, u *update) error {
	change, err := newID()
	if err != nil {
		return err
	}
	u.next.Version, u.next.Change, u.next.UpdatedAt = u.old.Version+1, change, s.Now().UTC()
	newSecret := u.next.needsSecret() && (u.newPasswords || !sameSecret(u.old, u.next) || u.old.SecretVersion == "")
	switch {
	case newSecret:
		if err := s.addVersion(ctx, work, u, change); err != nil {
			return err
		}
	case !u.next.needsSecret():
		u.next.setSecret(SecretVersion{})
	}
	err = s.write(ctx, work, u)
	if err == nil {
		switch {
		case newSecret:
			if u.old.SecretVersion == "" {
				s.restore(ctx, u.next)
			}
			s.promote(ctx, u.next)
		case u.old.SecretVersion != "" && u.next.SecretVersion == "":
			s.dropSecret(ctx, u.next)
		}
		return nil
	}
	if newSecret && apierror.KindOf(err) != apierror.UnknownOutcome {
		s.dropVersion(ctx, u.next)
	}
	switch {
	case errors.Is(err, ErrNameTaken):
		return nameTaken(u.next.Name)
	case errors.Is(err, ErrVersionConflict):
		return versionConflict()
	case errors.Is(err, ErrPendingGone):
		return outOfTime(err)
	}
	return fmt.Errorf("update database %s: %w", u.next.ID, err)
}

// write makes what is missing on the target and updates the catalog. What was made is
// dropped again if the catalog can't be updated.
func (s *Service) write(ctx, work context.Context, u *update) error {
	var options []WriteOption
	var pending Pending
	u.next.Created = nil
	if u.found.Missing != (Making{}) {
		var after Examination
		var err error
		pending, after, err = s.makeMissing(ctx, work, u.next, u.dialled, u.found, nil)
		if err != nil {
			return err
		}
		u.examined(after)
		u.next.Created = pending.Making.names()
		options = append(options, CompletePending(pending))
	}
	err := s.writeSharing(work, &u.next, func(options ...WriteOption) error {
		return s.Catalog.Update(work, u.old, u.next, options...)
	}, options)
	if err != nil && len(options) > 0 && apierror.KindOf(err) != apierror.UnknownOutcome {
		s.undo(ctx, pending)
	}
	return err
}

// addVersion adds the passwords of u.next as a version of its secret. Where the
// passwords were by reference, there is no secret: it is made, or restored if an
// earlier update scheduled its deletion.
func (s *Service) addVersion(ctx, work context.Context, u *update, token string) error {
	add := s.Vault.AddVersion
	if u.old.SecretVersion == "" {
		add = s.Vault.Recreate
	}
	stored, err := add(work, u.next, u.passwords, token)
	if err != nil {
		// The version may exist. Nothing names it.
		u.next.SecretVersion = token
		s.dropVersion(ctx, u.next)
		return fmt.Errorf("add secret version of database %s: %w", u.next.ID, err)
	}
	u.next.setSecret(stored)
	return nil
}

// dropSecret schedules the deletion of d's secret, which d no longer needs. A
// concurrent update may need it again: whichever of the two comes last restores it,
// this one because it reads the catalog afterwards, the other one by restore.
func (s *Service) dropSecret(ctx context.Context, d Database) {
	drop := func(ctx context.Context) error {
		if err := s.Vault.ScheduleDeletion(ctx, d.Account, d.ID); err != nil {
			return err
		}
		latest, err := s.Catalog.Get(ctx, d.Account, d.ID)
		if apierror.KindOf(err) == apierror.NotFound || err == nil && latest.SecretVersion == "" {
			return nil
		}
		// Unknown, it may be needed: the sweep finds it again if it is not.
		return errors.Join(err, s.Vault.Restore(ctx, d.Account, d.ID))
	}
	s.cleanup(ctx, "a secret that is no longer needed is left", drop, "database", d.ID)
}

// restore takes back a deletion of d's secret that was scheduled after the secret was
// recreated.
func (s *Service) restore(ctx context.Context, d Database) {
	restore := func(ctx context.Context) error { return s.Vault.Restore(ctx, d.Account, d.ID) }
	s.cleanup(ctx, "a secret may be scheduled for deletion", restore, "database", d.ID)
}

// promote makes the secret's version that d names its current version, for those
// who read the secret without the catalog. A concurrent update may have promoted
// a later version before, so the catalog is asked afterwards. If promoting fails,
// the next update of the passwords repairs it.
func (s *Service) promote(ctx context.Context, d Database) {
	const maxAttempts = 3
	promote := func(ctx context.Context) error {
		version := d.SecretVersion
		for range maxAttempts {
			if err := s.Vault.Promote(ctx, d.Account, d.ID, version); err != nil {
				return err
			}
			latest, err := s.Catalog.Get(ctx, d.Account, d.ID)
			if err != nil || latest.SecretVersion == version || latest.SecretVersion == "" {
				return nil
			}
			version = latest.SecretVersion
		}
		return nil
	}
	s.cleanup(ctx, "the current version of a secret is not its newest", promote, "database", d.ID)
}

// dropVersion removes the secret's version that d names, because nothing else
// does.
func (s *Service) dropVersion(ctx context.Context, d Database) {
	drop := func(ctx context.Context) error { return s.Vault.DropVersion(ctx, d.Account, d.ID, d.SecretVersion) }
	s.cleanup(ctx, "an unused version of a secret is left", drop, "database", d.ID)
}
