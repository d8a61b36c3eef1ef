package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/headgate/headgate/internal/database"
)

// tombstoneTime is how long a tombstone is kept: longer than a record stays in the
// table's stream (24 hours) and in a dead-letter queue (14 days).
const tombstoneTime = 30 * 24 * time.Hour

func tombstoneKey(account, id string) item { return key(partition(account), "deleted#"+id) }

// tombstoneItem returns the item that remains of a deleted database. d.Change,
// d.ChangedBy and d.UpdatedAt are those of the delete.
func tombstoneItem(d database.Database) (item, error) {
	document, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode database %s: %w", d.ID, err)
	}
	i := tombstoneKey(d.Account, d.ID)
	i[attrDocument] = text(string(document))
	i[attrExpiresAt] = number(d.UpdatedAt.Add(tombstoneTime).Unix())
	return i, nil
}

// Deleted returns a deleted database as Delete was given it. The error's kind is
// NotFound, Throttled, Unavailable or Internal.
func (c *Catalog) Deleted(ctx context.Context, account, id string) (database.Database, error) {
	return c.document(ctx, tombstoneKey(account, id), "read deleted database "+id)
}
