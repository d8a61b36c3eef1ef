package catalog_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

func TestDelete_Tombstone(t *testing.T) {
	t.Parallel()
	tab, ctx := newTable(t), storetest.Context(t)
	d := storetest.Database(storetest.Account(), "orders")
	if err := tab.catalog().Insert(ctx, d, nil); err != nil {
		t.Fatal(err)
	}
	_, err := tab.catalog().Deleted(ctx, d.Account, d.ID)
	wantKind(t, err, apierror.NotFound)

	stale := d
	stale.Version++
	if err := tab.catalog().Delete(ctx, stale); err == nil {
		t.Fatal("another version was deleted")
	}
	_, err = tab.catalog().Deleted(ctx, d.Account, d.ID)
	wantKind(t, err, apierror.NotFound)

	d.Change, d.ChangedBy = storetest.ID(), database.Origin{RequestID: "request", KeyID: "key"}
	d.UpdatedAt = time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	if err := tab.catalog().Delete(ctx, d); err != nil {
		t.Fatal(err)
	}
	got, err := tab.catalog().Deleted(ctx, d.Account, d.ID)
	if err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("deleted %+v, error %v, want %+v", got, err, d)
	}
	// 30 days later, in Unix seconds.
	if item := tab.item(t, "account#"+d.Account, "deleted#"+d.ID); item["expires_at"] != "N:1775192767" {
		t.Errorf("expires at %s", item["expires_at"])
	}
}
