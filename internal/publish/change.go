package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/eventbus"
)

// change returns the event of a record, and false if nobody has to be told of it.
func (p *Publisher) change(ctx context.Context, r catalog.Record) (eventbus.Event, bool, error) {
	switch {
	case r.New != nil && r.Old == nil:
		return told(event(CreatedType, detail(*r.New)))
	case r.New != nil && r.New.Change != r.Old.Change:
		return p.updated(*r.Old, *r.New)
	case r.New == nil && r.Old != nil:
		return told(p.deleted(ctx, r))
	case r.NewHealth != nil && (r.OldHealth == nil || r.NewHealth.Change != r.OldHealth.Change):
		return told(healthChanged(r))
	}
	return eventbus.Event{}, false, nil
}

func told(e eventbus.Event, err error) (eventbus.Event, bool, error) { return e, err == nil, err }

// detail returns the detail of the last write of d.
func detail(d database.Database) Detail {
	return Detail{
		Version: detailVersion, ID: d.Change, AccountID: d.Account, Database: d.Object(),
		RequestID: d.ChangedBy.RequestID, KeyID: d.ChangedBy.KeyID, OccurredAt: d.UpdatedAt,
	}
}

// updated returns the event of an update, and false if it shows nowhere: a check may
// record what only this service needs to know of a server.
func (p *Publisher) updated(before, after database.Database) (eventbus.Event, bool, error) {
	changed, err := changedFields(before, after)
	if err != nil || len(changed) == 0 {
		return eventbus.Event{}, false, err
	}
	d := detail(after)
	d.Changed = changed
	return told(event(UpdatedType, d))
}

// deleted returns the event of a delete. An item that was removed without a tombstone,
// by hand, is told of without a request's ID.
func (p *Publisher) deleted(ctx context.Context, r catalog.Record) (eventbus.Event, error) {
	d, err := p.Catalog.Deleted(ctx, r.Account, r.DatabaseID)
	if apierror.KindOf(err) == apierror.NotFound {
		d, err = *r.Old, nil
		d.Change = uuid.NewSHA1(uuid.NameSpaceURL, []byte("headgate:deleted:"+d.ID+":"+d.Change)).String()
		d.ChangedBy, d.UpdatedAt = database.Origin{}, p.Now().UTC()
	}
	if err != nil {
		return eventbus.Event{}, temporary(fmt.Errorf("read deleted database %s: %w", r.DatabaseID, err))
	}
	return event(DeletedType, detail(d))
}

// healthChanged returns the event of a changed health. The record has the database as it
// was checked: it may have been changed or deleted since.
func healthChanged(r catalog.Record) (eventbus.Event, error) {
	h := r.NewHealth
	if h.Database == nil {
		return eventbus.Event{}, fmt.Errorf("health of database %s: the record has no database", r.DatabaseID)
	}
	changed := Detail{
		Version: detailVersion, ID: h.Change, AccountID: r.Account, Database: *h.Database, Health: &h.Health, RequestID: h.RequestID,
	}
	if at := h.Health.CheckedAt; at != nil {
		changed.OccurredAt = *at
	}
	return event(HealthChangedType, changed)
}

// changedFields returns the paths of the fields of the database object that differ,
// and those of passwords that changed, in the order of their names.
func changedFields(before, after database.Database) ([]string, error) {
	old, err := members(before.Object())
	if err != nil {
		return nil, err
	}
	next, err := members(after.Object())
	if err != nil {
		return nil, err
	}
	paths := append(diff("", old, next), after.ChangedPasswords...)
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

func members(o database.Object) (map[string]any, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode database %s: %w", o.ID, err)
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // 1.0 and 1 are different annotations
	return m, d.Decode(&m)
}

// diff returns the paths at which a and b differ. Annotations and warnings are one
// field.
func diff(path string, a, b any) []string {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	whole := path == "annotations" || path == "warnings"
	before, okA := a.(map[string]any)
	after, okB := b.(map[string]any)
	if okA && okB && !whole {
		all := maps.Clone(before)
		maps.Copy(all, after)
		var paths []string
		for name := range all {
			below := name
			if path != "" {
				below = path + "." + name
			}
			paths = append(paths, diff(below, before[name], after[name])...)
		}
		return paths
	}
	listA, okA := a.([]any)
	listB, okB := b.([]any)
	if okA && okB && !whole && len(listA) == len(listB) {
		var paths []string
		for i := range listA {
			paths = append(paths, diff(fmt.Sprintf("%s[%d]", path, i), listA[i], listB[i])...)
		}
		return paths
	}
	return []string{path}
}
