package storetest

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func healthTests() map[string]func(*testing.T, database.Catalog) {
	return map[string]func(*testing.T, database.Catalog){
		"stored health is read, and goes with the database":          healthIsRead,
		"health over another change is rejected":                     healthConflict,
		"of 16 concurrent first writes of health one succeeds":       healthRace,
		"health of a database that is gone is not stored":            healthOfGone,
		"health does not change the database's version":              healthAndUpdate,
		"the health of a list is that of the account's databases":    healthBetween,
		"databases to check are those with an active slot, by shard": toCheck,
	}
}

// Health returns the health of d with every field set.
func Health(d database.Database) database.HealthRecord {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	active, status, lsn, size := true, "extended", "A/1F", int64(5<<30)
	return database.HealthRecord{
		Account: d.Account, DatabaseID: d.ID, Target: "target", Change: ID(), RequestID: ID(),
		Database: &database.Object{ID: d.ID, Name: d.Name, ReplicationSlots: []database.Slot{d.Slot}},
		Health: database.Health{
			Status: database.HealthDegraded, Since: &at, CheckedAt: &at,
			Checks: check.Report{{Name: check.Address, Status: check.Passed}, check.Warn(check.ReplicationSlot, check.SlotLagging, "<&>\u2028", "fix")},
			Slot: database.SlotState{
				Active: &active, WALStatus: &status, RetainedBytes: &size, SafeWALBytes: &size, ConfirmedFlushLSN: &lsn, InactiveSince: &at,
			},
		},
	}
}

func wantHealth(t *testing.T, c database.Catalog, want database.HealthRecord) {
	t.Helper()
	got, err := c.Health(Context(t), want.Account, want.DatabaseID)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("health %+v, want %+v", got, want)
	}
}

func healthIsRead(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), insert(t, c)
	_, err := c.Health(ctx, d.Account, d.ID)
	wantKind(t, err, apierror.NotFound)
	h := Health(d)
	must(t, c.PutHealth(ctx, h, ""))
	wantHealth(t, c, h)
	_, err = c.Health(ctx, Account(), d.ID)
	wantKind(t, err, apierror.NotFound)
	must(t, c.Delete(ctx, d))
	_, err = c.Health(ctx, d.Account, d.ID)
	wantKind(t, err, apierror.NotFound)
}

func healthConflict(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), insert(t, c)
	first, second := Health(d), Health(d)
	wantError(t, c.PutHealth(ctx, first, ID()), database.ErrVersionConflict)
	must(t, c.PutHealth(ctx, first, ""))
	wantError(t, c.PutHealth(ctx, second, ""), database.ErrVersionConflict)
	must(t, c.PutHealth(ctx, second, first.Change))
	wantError(t, c.PutHealth(ctx, Health(d), first.Change), database.ErrVersionConflict)
	// A write that tells nobody anything keeps the change.
	later := second.Health.CheckedAt.Add(time.Hour)
	second.Health.CheckedAt = &later
	must(t, c.PutHealth(ctx, second, second.Change))
	wantHealth(t, c, second)
}

func healthRace(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), insert(t, c)
	rivals := make([]database.HealthRecord, updateRacers)
	for i := range rivals {
		rivals[i] = Health(d)
	}
	winner := onlyWinner(t, Race(updateRacers, func(i int) error { return c.PutHealth(ctx, rivals[i], "") }), database.ErrVersionConflict)
	wantHealth(t, c, rivals[winner])
}

func healthOfGone(t *testing.T, c database.Catalog) {
	ctx, d := Context(t), insert(t, c)
	must(t, c.Delete(ctx, d))
	wantKind(t, c.PutHealth(ctx, Health(d), ""), apierror.NotFound)
	_, err := c.Health(ctx, d.Account, d.ID)
	wantKind(t, err, apierror.NotFound)
}

func healthAndUpdate(t *testing.T, c database.Catalog) {
	ctx, old := Context(t), insert(t, c)
	h := Health(old)
	must(t, c.PutHealth(ctx, h, ""))
	d := rename(old, "other")
	must(t, c.Update(ctx, old, d))
	wantStored(t, c, d)
	wantHealth(t, c, h)
	must(t, c.Delete(ctx, d))
}

func healthBetween(t *testing.T, c database.Catalog) {
	ctx, account := Context(t), Account()
	var all []database.HealthRecord
	for _, name := range []string{"a", "b", "c", "d"} {
		d := Database(account, name)
		must(t, c.Insert(ctx, d, nil))
		h := Health(d)
		all = append(all, h)
		if name != "c" {
			must(t, c.PutHealth(ctx, h, ""))
		}
	}
	got, err := c.HealthBetween(ctx, account, all[1].DatabaseID, all[3].DatabaseID)
	must(t, err)
	want := map[string]database.HealthRecord{all[1].DatabaseID: all[1], all[3].DatabaseID: all[3]}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("health %+v, want %+v", got, want)
	}
	if got, err = c.HealthBetween(ctx, Account(), all[0].DatabaseID, all[3].DatabaseID); err != nil || len(got) != 0 {
		t.Errorf("health of another account %+v, error %v", got, err)
	}
}

func toCheck(t *testing.T, c database.Catalog) {
	ctx, account := Context(t), Account()
	var want []database.Ref
	for i := range 20 {
		d := Database(account, ID())
		switch i {
		case 0:
			d.Slot.Status = database.SlotDisabled
		default:
			want = append(want, database.Ref{Account: account, DatabaseID: d.ID})
		}
		must(t, c.Insert(ctx, d, nil))
		if i == 1 { // disabled by an update
			next := d
			next.Version, next.Change, next.Slot.Status = d.Version+1, ID(), database.SlotDisabled
			must(t, c.Update(ctx, d, next))
			want = want[:0]
		}
	}
	var got []database.Ref
	for shard := range database.CheckShards {
		for ref, err := range c.ToCheck(ctx, shard) {
			must(t, err)
			if ref.Shard() != shard {
				t.Errorf("database %s in shard %d, want %d", ref.DatabaseID, shard, ref.Shard())
			}
			if ref.Account == account {
				got = append(got, ref)
			}
		}
	}
	slices.SortFunc(got, func(a, b database.Ref) int { return slices.Compare([]byte(a.DatabaseID), []byte(b.DatabaseID)) })
	if !slices.Equal(got, want) {
		t.Errorf("to check %v, want %v", got, want)
	}
}
