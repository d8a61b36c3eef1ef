package catalog_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// manyDatabases returns n databases of one account, without certificates, as most
// are.
func manyDatabases(account string, n int) []database.Database {
	ds := make([]database.Database, n)
	for i := range ds {
		ds[i] = storetest.Database(account, "orders-"+strconv.Itoa(i))
		ds[i].Endpoint.SSLRootCert, ds[i].Primary = "", nil
	}
	return ds
}

// fill stores databases as Insert does, but in batches and without the guards.
func (t table) fill(tb testing.TB, ds []database.Database) {
	tb.Helper()
	const batch = 25
	for from := 0; from < len(ds); from += batch {
		var puts []types.WriteRequest
		for _, d := range ds[from:min(from+batch, len(ds))] {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: databaseItem(tb, d)}})
		}
		_, err := t.client().BatchWriteItem(tb.Context(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{t.name: puts},
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func databaseItem(tb testing.TB, d database.Database) map[string]types.AttributeValue {
	tb.Helper()
	document, err := json.Marshal(d)
	if err != nil {
		tb.Fatal(err)
	}
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	return map[string]types.AttributeValue{
		"PK": text("account#" + d.Account), "SK": text("database#" + d.ID), "document": text(string(document)),
		"version": &types.AttributeValueMemberN{Value: "1"}, "change": text(d.Change),
		"secret_version": text(d.SecretVersion), "created_at": text(d.CreatedAt.Format(time.RFC3339Nano)),
	}
}

func TestList_ThousandDatabases(t *testing.T) {
	t.Parallel()
	tab, ds := newTable(t), manyDatabases(storetest.Account(), 1000)
	tab.fill(t, ds)
	wantSameIDs(t, tab.list(t, ds[0].Account, "", 10_000), ds)
	requests := len(tab.wire.Requests("Query"))
	wantSameIDs(t, tab.pages(t, ds[0].Account, 400), ds)
	// The last page is not full, so it needs no request for another.
	if got := len(tab.wire.Requests("Query")) - requests; got != 3 {
		t.Errorf("%d requests for 3 pages", got)
	}
	for _, request := range tab.wire.Requests("Query") {
		if !strings.Contains(request, `"ConsistentRead":true`) {
			t.Fatalf("read is not consistent: %s", request)
		}
	}
}

// list returns up to limit databases after the ID.
func (t table) list(tb testing.TB, account, after string, limit int) []database.Database {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	got, err := t.catalog().List(ctx, account, after, limit)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// pages returns all databases, read page by page.
func (t table) pages(tb testing.TB, account string, page int) []database.Database {
	tb.Helper()
	all := t.list(tb, account, "", page)
	for got := all; len(got) == page; {
		got = t.list(tb, account, got[page-1].ID, page)
		all = append(all, got...)
	}
	return all
}

func BenchmarkList_TenThousandDatabases(b *testing.B) {
	tab, ds := newTable(b), manyDatabases("account", 10_000)
	tab.fill(b, ds)
	b.Run("at once", func(b *testing.B) {
		for b.Loop() {
			wantSameIDs(b, tab.list(b, "account", "", len(ds)+1), ds)
		}
	})
	b.Run("in pages of 1000", func(b *testing.B) {
		for b.Loop() {
			wantSameIDs(b, tab.pages(b, "account", 1000), ds)
		}
	})
}

func wantSameIDs(t testing.TB, got, want []database.Database) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d databases, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].ID != want[i].ID || got[i].Name != want[i].Name {
			t.Fatalf("%s at index %d, want %s", got[i].Name, i, want[i].Name)
		}
	}
}

func TestList_Faults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		kind   apierror.Kind // if it fails
		fails  bool
	}{
		"response lost":               {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, 0, false},
		"second page throttled twice": {[]faultwire.Fault{faultwire.Pass, throttled, throttled, faultwire.Pass}, 0, false},
		"second page throttled":       {[]faultwire.Fault{faultwire.Pass, throttled}, apierror.Throttled, true},
		"second page reset":           {[]faultwire.Fault{faultwire.Pass, faultwire.LoseAnswer}, apierror.Unavailable, true},
		"no response":                 {[]faultwire.Fault{faultwire.Hang}, apierror.Unavailable, true},
		"denied":                      {[]faultwire.Fault{denied}, apierror.Internal, true},
		"internal error":              {[]faultwire.Fault{broken}, apierror.Unavailable, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, account := newTable(t), storetest.Account()
			var ds []database.Database
			for range 40 { // of 33 KB each
				ds = append(ds, storetest.Database(account, "orders"))
			}
			tab.fill(t, ds)
			tab.wire.Script("Query", test.faults...)
			ctx, cancel := context.WithTimeout(storetest.Context(t), 2*time.Second)
			defer cancel()
			got, err := tab.catalog().List(ctx, account, "", 100)
			if test.fails {
				wantKind(t, err, test.kind)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantSameIDs(t, got, ds)
		})
	}
}

func TestCursorKey_ResponseLost(t *testing.T) {
	t.Parallel()
	tab, account := newTable(t), storetest.Account()
	tab.wire.Script("PutItem", faultwire.LoseAnswer, faultwire.Pass)
	tab.wire.Script("GetItem", faultwire.LoseAnswer, faultwire.Pass)
	first, err := tab.catalog().CursorKey(storetest.Context(t), account)
	if err != nil {
		t.Fatal(err)
	}
	second, err := tab.catalog().CursorKey(storetest.Context(t), account)
	if err != nil || string(first) != string(second) {
		t.Errorf("the keys differ, or error %v", err)
	}
}

func TestCursorKey_ErrorKind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		operation string
		fault     faultwire.Fault
		kind      apierror.Kind
	}{
		"read throttled":        {"GetItem", throttled, apierror.Throttled},
		"read denied":           {"GetItem", denied, apierror.Internal},
		"put throttled":         {"PutItem", throttled, apierror.Throttled},
		"put reset":             {"PutItem", faultwire.LoseRequest, apierror.Unavailable},
		"put denied":            {"PutItem", denied, apierror.Internal},
		"put without response":  {"PutItem", faultwire.Hang, apierror.Unavailable},
		"read without response": {"GetItem", faultwire.Hang, apierror.Unavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := newTable(t)
			tab.wire.Script(test.operation, test.fault)
			ctx, cancel := context.WithTimeout(storetest.Context(t), time.Second/2)
			defer cancel()
			_, err := tab.catalog().CursorKey(ctx, storetest.Account())
			wantKind(t, err, test.kind)
		})
	}
}
