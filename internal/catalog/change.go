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

// changedDatabase and changedGuard are the places of the database's item and of
// the guard on a new name in the transaction of an update.
const (
	changedDatabase = iota
	changedGuard
)

// Update puts d in the place of old, which has to be as it was read, and moves
// the guard where the name changed, in one transaction. D.Change is a UUID of
// this change alone. An update of that change that landed before counts as done.
//
// The error is database.ErrVersionConflict where old is not what stands any
// more, or database.ErrNameTaken; else its kind is Throttled or Unavailable
// (nothing was changed), UnknownOutcome or Internal. Both of the former are of
// kind UnknownOutcome where an earlier attempt may have landed, or could yet; see
// versionOutcome and nameTaken.
func (c *Catalog) Update(ctx context.Context, old, d database.Database) error {
	if d.Change == "" {
		return broken(errors.New("an update that does not name its change"))
	}
	stored, err := databaseItem(d)
	if err != nil {
		return broken(err)
	}
	changes := []types.TransactWriteItem{c.replace(stored, old.Version)}
	if d.Name != old.Name {
		changes = append(changes, c.put(guardItem(d.Account, d.Name, d.ID)), c.dropGuard(old))
	}
	if err := c.transact(ctx, d.Change, changes...); err != nil {
		return c.updateOutcome(ctx, err, old, d)
	}
	return nil
}

// dropGuard gives up d's name.
func (c *Catalog) dropGuard(d database.Database) types.TransactWriteItem {
	return c.remove(nameKey(d.Account, d.Name), attrDatabaseID, text(d.ID))
}

// updateOutcome is what became of an update that ended with err.
func (c *Catalog) updateOutcome(ctx context.Context, err error, old, d database.Database) error {
	failed := failedConditions(err)
	stands, changed := failed[changedDatabase]
	guard := failed[changedGuard].text(attrDatabaseID)
	cause := fmt.Errorf("updating database %s: %w", d.ID, err)
	switch {
	case changed:
		return versionOutcome(err, stands, d)
	case guard != "" && guard != d.ID:
		return nameTaken(err)
	case len(failed) > 0:
		// The guards are as the database's item can't have them at old's version.
		// So it must be at another, of which the answer does not say a word.
		stands, readErr := c.stands(ctx, d)
		if readErr == nil && !stands.isVersion(old.Version) {
			return versionOutcome(err, stands, d)
		}
		cause = errors.Join(cause, readErr)
	}
	return awsretry.DomainError(err, cause, apierror.UnknownOutcome)
}

// versionOutcome is what became of an update to d, when what stands is not what
// it was to replace.
//
// A version is reached by one change alone. So if another's change stands at d's
// version, d never did, and never will. If d was overtaken, or the database is
// gone, then an attempt of unknown outcome may well have landed before: the
// caller is told both, since what was kept for d may be what later versions hold
// on to.
func versionOutcome(err error, stands item, d database.Database) error {
	if stands.text(attrChange) == d.Change {
		return nil
	}
	doubt := doubtOf(err)
	if doubt == nil || stands.isVersion(d.Version) {
		return database.ErrVersionConflict
	}
	return apierror.New(apierror.UnknownOutcome, "the database has been changed since",
		fmt.Errorf("%w (after an attempt of unknown outcome: %w)", database.ErrVersionConflict, doubt))
}

// Delete removes d, which has to be as it was read, and the guard on its name in
// one transaction. A removal that landed before, unseen, counts as done.
//
// The error is database.ErrVersionConflict where the database is at another
// version; else its kind is NotFound, Throttled or Unavailable (nothing was
// changed), UnknownOutcome or Internal.
func (c *Catalog) Delete(ctx context.Context, d database.Database) error {
	// The token is this call's own: another's success is not this one's.
	err := c.transact(ctx, uuid.NewString(),
		c.remove(databaseKey(d.Account, d.ID), attrVersion, number(d.Version)), c.dropGuard(d))
	if err != nil {
		return c.deleteOutcome(ctx, err, d)
	}
	return nil
}

// deleteOutcome is what became of a deletion that ended with err. Where the
// database stands at another version no attempt has landed, nor ever will. Where
// it is gone, an attempt of unknown outcome is taken for the one that did it: if
// it was another's, the end is the same.
func (c *Catalog) deleteOutcome(ctx context.Context, err error, d database.Database) error {
	failed := failedConditions(err)
	cause := fmt.Errorf("deleting database %s: %w", d.ID, err)
	stands, changed := failed[changedDatabase]
	if len(failed) > 0 && !changed {
		// As in an update: a guard that is not d's tells of another version.
		var readErr error
		stands, readErr = c.stands(ctx, d)
		changed = readErr == nil && !stands.isVersion(d.Version)
		cause = errors.Join(cause, readErr)
	}
	switch {
	case changed && len(stands) > 0:
		return database.ErrVersionConflict
	case changed && doubtOf(err) != nil:
		return nil
	case changed:
		return apierror.New(apierror.NotFound, "not found", nil)
	}
	return awsretry.DomainError(err, cause, apierror.UnknownOutcome)
}

// stands is d's item as it is now, empty where there is none.
func (c *Catalog) stands(ctx context.Context, d database.Database) (item, error) {
	i, err := c.get(ctx, databaseKey(d.Account, d.ID))
	if apierror.KindOf(err) == apierror.NotFound {
		return nil, nil
	}
	return i, err
}
