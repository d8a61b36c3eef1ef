package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// The indexes of the database and of the new name's guard in the transaction of an
// update. The database has the same index in that of a delete.
const (
	changeDatabase = iota
	changeGuard
)

// Update replaces old with d and moves the guard if the name changes, in one
// transaction with optimistic locking. d.Change is a UUID of this change alone, by
// which Update is idempotent.
//
// The error is database.ErrVersionConflict or database.ErrNameTaken; otherwise its
// kind is Throttled or Unavailable (nothing was changed), UnknownOutcome or
// Internal. Both errors have the kind UnknownOutcome if an earlier attempt may have
// committed, or still may; see versionConflict and nameTaken.
func (c *Catalog) Update(ctx context.Context, old, d database.Database, options ...database.WriteOption) error {
	if d.Change == "" {
		return broken(fmt.Errorf("update database %s: no change ID", d.ID))
	}
	stored, err := databaseItem(d)
	if err != nil {
		return broken(err)
	}
	w := database.NewWriting(options)
	changes := []types.TransactWriteItem{c.replace(stored, old.Version)}
	if d.Name != old.Name {
		changes = append(changes, c.put(guardItem(d.Account, d.Name, d.ID)), c.deleteGuard(old))
	}
	if w.Pending != nil {
		changes = append(changes, c.completePending(*w.Pending))
	}
	if err := c.transactSlots(ctx, d.Change, changes, moveSlots(old, d, w)...); err != nil {
		if w.Pending != nil && onlyFailed(err, len(changes)-1) && ambiguousAttempt(err) == nil {
			return database.ErrPendingGone
		}
		return c.updateError(ctx, err, old, d)
	}
	return nil
}

// onlyFailed reports whether the condition at index alone failed.
func onlyFailed(err error, index int) bool {
	failed := failedConditions(err)
	_, ok := failed[index]
	return ok && len(failed) == 1
}

func (c *Catalog) deleteGuard(d database.Database) types.TransactWriteItem {
	return c.deleteIf(nameKey(d.Account, d.Name), attrDatabaseID, text(d.ID))
}

// updateError returns the error of an update whose transaction returned err, nil if
// an earlier attempt committed.
func (c *Catalog) updateError(ctx context.Context, err error, old, d database.Database) error {
	if isSlotError(err) {
		return err
	}
	failed := failedConditions(err)
	existing, changed := failed[changeDatabase]
	nameOwner := failed[changeGuard].text(attrDatabaseID)
	cause := fmt.Errorf("update database %s: %w", d.ID, err)
	switch {
	case changed:
		return versionConflict(err, existing, d)
	case nameOwner != "" && nameOwner != d.ID:
		return nameTaken(err)
	case len(failed) > 0:
		// The guards contradict old's version. So the database has another one,
		// which the response does not contain.
		existing, readErr := c.readItem(ctx, d)
		if readErr == nil && !existing.isVersion(old.Version) {
			return versionConflict(err, existing, d)
		}
		cause = errors.Join(cause, readErr)
	}
	return awsretry.DomainError(err, cause, apierror.UnknownOutcome)
}

// versionConflict returns the error of an update to d that found existing instead
// of the version it replaces, nil if existing is d.
//
// Each version comes from one change. So if existing has d's version from another
// change, d was never stored and never will be. If existing is later, or missing,
// an earlier attempt with an ambiguous outcome may have committed before. The kind
// is then UnknownOutcome, because later versions may use what was stored for d.
func versionConflict(err error, existing item, d database.Database) error {
	if existing.text(attrChange) == d.Change {
		return nil
	}
	ambiguous := ambiguousAttempt(err)
	if ambiguous == nil || existing.isVersion(d.Version) {
		return database.ErrVersionConflict
	}
	return apierror.New(apierror.UnknownOutcome, "the database has been changed since",
		fmt.Errorf("%w (after an attempt with an ambiguous outcome: %w)", database.ErrVersionConflict, ambiguous))
}

// Delete deletes d, its health and the guard on its name, and stores a tombstone, in one
// transaction with optimistic locking. If the outcome of an attempt is ambiguous and the database is gone,
// Delete has succeeded.
//
// The error is database.ErrVersionConflict; otherwise its kind is NotFound,
// Throttled or Unavailable (nothing was changed), UnknownOutcome or Internal.
func (c *Catalog) Delete(ctx context.Context, d database.Database) error {
	tombstone, err := tombstoneItem(d)
	if err != nil {
		return broken(err)
	}
	// The token is new: another call's success is not this one's.
	err = c.transactSlots(ctx, uuid.NewString(), []types.TransactWriteItem{
		c.deleteIf(databaseKey(d.Account, d.ID), attrVersion, number(d.Version)), c.deleteGuard(d),
		{Put: &types.Put{TableName: &c.table, Item: tombstone}},
		{Delete: &types.Delete{TableName: &c.table, Key: healthKey(d.Account, d.ID)}},
	}, moveSlots(d, database.Database{}, database.Writing{})...)
	if err != nil {
		return c.deleteError(ctx, err, d)
	}
	return nil
}

// deleteError returns the error of a delete whose transaction returned err. If the
// database has another version, no attempt committed or will. If it is gone after an
// attempt with an ambiguous outcome, that attempt may have deleted it; the result is
// the same if another request did.
func (c *Catalog) deleteError(ctx context.Context, err error, d database.Database) error {
	failed := failedConditions(err)
	cause := fmt.Errorf("delete database %s: %w", d.ID, err)
	existing, changed := failed[changeDatabase]
	if len(failed) > 0 && !changed {
		// The guard is not d's. So the database has another version, as in an update.
		var readErr error
		existing, readErr = c.readItem(ctx, d)
		changed = readErr == nil && !existing.isVersion(d.Version)
		cause = errors.Join(cause, readErr)
	}
	switch {
	case changed && len(existing) > 0:
		return database.ErrVersionConflict
	case changed && ambiguousAttempt(err) != nil:
		return nil
	case changed:
		return apierror.OfStore(apierror.NotFound, nil)
	}
	return awsretry.DomainError(err, cause, apierror.UnknownOutcome)
}

// readItem returns d's current item, empty if it does not exist.
func (c *Catalog) readItem(ctx context.Context, d database.Database) (item, error) {
	i, err := c.get(ctx, databaseKey(d.Account, d.ID))
	if apierror.KindOf(err) == apierror.NotFound {
		return item{}, nil
	}
	return i, err
}
