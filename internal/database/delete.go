package database

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// DeleteOptions say what Delete drops on the target first.
type DeleteOptions struct {
	DropSlot bool
	// DropPublication needs DropSlot: a slot without its publication fails its consumer.
	DropPublication bool
}

func (o DeleteOptions) making() Making {
	return Making{Publication: o.DropPublication, Slot: o.DropSlot}
}

// Deleted is the result of Delete.
type Deleted struct {
	ID string
	// LeftOnTarget is nil where the slot was dropped.
	LeftOnTarget *LeftOnTarget
	// Dropped has the objects that were dropped on the target, nil if none was to be.
	Dropped []string
	// Refused has a failed check where something could not be dropped. Nothing was
	// deleted then, here or there.
	Refused check.Report
}

// LeftOnTarget is what a database has left on its target.
type LeftOnTarget struct {
	SlotName        string `json:"slot_name"`
	PublicationName string `json:"publication_name"`
	Fix             string `json:"fix"`
}

// Delete removes the database that ref names. The name is free at once, and the
// passwords can be restored for 7 days. The target is dialled only with options, which
// drop the slot and the publication before anything is removed here. The error's kind is
// NotFound, Conflict (other requests kept changing the database), Throttled or
// Unavailable (nothing was removed here), UnknownOutcome or Internal.
func (s *Service) Delete(ctx context.Context, account, ref string, o DeleteOptions) (Deleted, error) {
	const maxAttempts = 5
	for range maxAttempts {
		d, err := s.Get(ctx, account, ref)
		if err != nil {
			return Deleted{}, err
		}
		deleted, err := s.deleteOnce(ctx, d, o)
		if !errors.Is(err, ErrVersionConflict) {
			return deleted, err
		}
	}
	return Deleted{}, versionConflict()
}

func (s *Service) deleteOnce(ctx context.Context, d Database, o DeleteOptions) (deleted Deleted, err error) {
	deleted.ID = d.ID
	if d.Change, err = newID(); err != nil {
		return Deleted{}, err
	}
	d.ChangedBy, d.UpdatedAt = originOf(ctx), s.Now().UTC()
	left := func() *LeftOnTarget { return nil }
	if o.DropSlot {
		dropped, release, refused, err := s.dropOnTarget(ctx, &d, o)
		if err != nil || refused != nil {
			return Deleted{ID: d.ID, Refused: refused}, err
		}
		deleted.Dropped = append([]string{}, dropped.names()...)
		slices.Reverse(deleted.Dropped) // the slot comes first
		defer func() {
			if deleted.ID == "" { // the delete removes the hold
				release()
			}
		}()
	} else {
		left = s.startLeft(ctx, d)
	}
	err = s.Catalog.Delete(ctx, d)
	deleted.LeftOnTarget = left()
	if err != nil {
		return Deleted{}, fmt.Errorf("delete database %s: %w", d.ID, err)
	}
	if d.SecretVersion == "" {
		return deleted, nil
	}
	// From here on the delete has succeeded. The sweep finds the secret if it
	// could not be scheduled.
	if err := s.Vault.ScheduleDeletion(ctx, d.Account, d.ID); err != nil {
		s.Log.WarnContext(ctx, secretLeft, "database", d.ID, "error", err)
	}
	return deleted, nil
}

// dropOnTarget drops what o says and keeps the slot from being registered until release
// is called. refused has a failed check where something may not be dropped; nothing was
// dropped then. dropped is what existed. Where the server of d was not known, dropOnTarget sets it.
func (s *Service) dropOnTarget(ctx context.Context, d *Database, o DeleteOptions) (dropped Making, release func(), refused check.Report, err error) {
	t, refused, err := s.targetOf(ctx, *d)
	if err != nil || refused != nil {
		return Making{}, nil, refused, err
	}
	if d.Source == (Source{}) {
		x := s.Prober.Probe(ctx, t)
		if err := x.busy(); err != nil {
			return Making{}, nil, nil, err
		}
		if _, failed := x.Report.FirstFailure(); failed && x.Source == (Source{}) {
			return Making{}, nil, x.Report, nil
		}
		d.Source = x.Source
	}
	release, refused, err = s.holdDropped(ctx, *d, o)
	if err != nil || refused != nil {
		return Making{}, nil, refused, err
	}
	dropped, report := s.Maker.Drop(ctx, t, d.Source, o.making())
	if _, failed := report.FirstFailure(); failed {
		release()
		return Making{}, nil, onlyChecks(report...), nil
	}
	return dropped, release, nil, nil
}

// holdDropped holds what o says that is dropped. refused has a failed check where another
// database has it; nothing is held then.
func (s *Service) holdDropped(ctx context.Context, d Database, o DeleteOptions) (release func(), refused check.Report, err error) {
	own := []SlotUser{d.user()}
	releaseSlot, others, err := s.hold(ctx, d, Database.SlotKey, own)
	switch {
	case err != nil:
		return nil, nil, err
	case len(others) > 0:
		return nil, slotInUse(d, others), nil
	case !o.DropPublication:
		return releaseSlot, nil, nil
	}
	releasePublication, others, err := s.hold(ctx, d, Database.PublicationKey, own)
	if err != nil || len(others) > 0 {
		releaseSlot()
		return nil, publicationInUse(d, others), err
	}
	return func() { releasePublication(); releaseSlot() }, nil, nil
}

// slotInUse returns the report of a slot that may not be dropped because other databases
// have it.
func slotInUse(d Database, others []SlotUser) check.Report {
	return onlyChecks(check.Fail(check.ReplicationSlot, check.SlotShared, slotKept(d, others), ""))
}

// publicationInUse is slotInUse for a publication, nil if others has none.
func publicationInUse(d Database, others []SlotUser) check.Report {
	if len(others) == 0 {
		return nil
	}
	user := "another database"
	if others[0].Account == d.Account {
		user = fmt.Sprintf("database %q", others[0].Name)
	}
	message := fmt.Sprintf("publication %q is registered for %s too: it is not dropped, and neither is the slot", d.Slot.PublicationName, user)
	return onlyChecks(check.Fail(check.Publication, check.PublicationCreateDenied, message, "repeat the request without drop_publication"))
}

// onlyChecks returns a report with part, whose other checks are skipped.
func onlyChecks(part ...check.Entry) check.Report {
	var skipped check.Report
	for _, name := range check.Names() {
		skipped = append(skipped, check.Entry{Name: name, Status: check.Skipped})
	}
	return merged(skipped, part)
}

// leftBy returns what u has left on the target, nil unless it moved to a slot that it
// was asked to make where it was missing.
func (s *Service) leftBy(ctx context.Context, u update) *LeftOnTarget {
	before, after := u.old.SlotKey(), u.next.SlotKey()
	same := before == after
	if before == "" || after == "" {
		same = !u.movesHost() && u.old.Endpoint.Database == u.next.Endpoint.Database && u.old.Slot.SlotName == u.next.Slot.SlotName
	}
	if !u.creation.Slot || same {
		return nil
	}
	publication := u.old.Slot.PublicationName
	if publication == u.next.Slot.PublicationName {
		publication = "" // the new slot is read with it
	}
	return s.leftOn(ctx, u.old, publication)
}

// targetOf returns the target of d as it is dialled. Where a password is in a secret that
// can't be read, it returns the report that says so instead.
func (s *Service) targetOf(ctx context.Context, d Database) (Target, check.Report, error) {
	p, err := s.Passwords(ctx, d)
	if err != nil {
		return Target{}, nil, err
	}
	t, err := s.resolve(ctx, d.Account, d.target(p))
	if e, ok := errors.AsType[*apierror.Error](err); ok && e.Kind == apierror.Invalid {
		return Target{}, passwordUnavailable(e.Fields), nil
	}
	return t, nil, err
}
