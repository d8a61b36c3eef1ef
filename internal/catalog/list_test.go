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

// manyDatabases are databases of one account as most are: without certificates.
func manyDatabases(account string, n int) []database.Database {
	ds := make([]database.Database, n)
	for i := range ds {
		ds[i] = storetest.Database(account, "orders-"+strconv.Itoa(i))
		ds[i].Endpoint.SSLRootCert, ds[i].Primary = "", nil
	}
	return ds
}

// fill puts databases into the table as Insert does, but without the guards and
// many at once.
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

func TestAThousandDatabasesAreListedAtOnceAndInPages(t *testing.T) {
	t.Parallel()
	tab, ds := newTable(t), manyDatabases(storetest.Account(), 1000)
	tab.fill(t, ds)
	wantSameIDs(t, tab.list(t, ds[0].Account, "", 10_000), ds)
	requests := len(tab.wire.Requests("Query"))
	wantSameIDs(t, tab.pages(t, ds[0].Account, 400), ds)
	// The last page is not full, so that nobody has to ask for one more.
	if got := len(tab.wire.Requests("Query")) - requests; got != 3 {
		t.Errorf("%d requests for 3 pages", got)
	}
	for _, request := range tab.wire.Requests("Query") {
		if !strings.Contains(request, `"ConsistentRead":true`) {
			t.Fatalf("a read that is not consistent: %s", request)
		}
	}
}

// list is the databases after one of them, at most so many.
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

// pages is all databases, asked for page by page.
func (t table) pages(tb testing.TB, account string, page int) []database.Database {
	tb.Helper()
	all := t.list(tb, account, "", page)
	for got := all; len(got) == page; {
		got = t.list(tb, account, got[page-1].ID, page)
		all = append(all, got...)
	}
	return all
}

func BenchmarkListOfTenThousand(b *testing.B) {
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
			t.Fatalf("%s in place %d, want %s", got[i].Name, i, want[i].Name)
		}
	}
}

func TestAList(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults []faultwire.Fault
		kind   apierror.Kind // 0 with no error where it survives
		fails  bool
	}{
		"survives a lost answer":               {[]faultwire.Fault{faultwire.LoseAnswer, faultwire.Pass}, 0, false},
		"survives throttling on a later page":  {[]faultwire.Fault{faultwire.Pass, throttled, throttled, faultwire.Pass}, 0, false},
		"always throttled is throttled":        {[]faultwire.Fault{faultwire.Pass, throttled}, apierror.Throttled, true},
		"reset each time is unavailable":       {[]faultwire.Fault{faultwire.Pass, faultwire.LoseAnswer}, apierror.Unavailable, true},
		"never answered is unavailable":        {[]faultwire.Fault{faultwire.Hang}, apierror.Unavailable, true},
		"denied is a defect":                   {[]faultwire.Fault{denied}, apierror.Internal, true},
		"an internal error each time: unavail": {[]faultwire.Fault{broken}, apierror.Unavailable, true},
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

func TestAKeyForCursorsSurvivesLostAnswers(t *testing.T) {
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
		t.Errorf("another key, or %v", err)
	}
}

func TestAKeyForCursorsThatIsGivenUp(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		operation string
		fault     faultwire.Fault
		kind      apierror.Kind
	}{
		"throttled reading":   {"GetItem", throttled, apierror.Throttled},
		"denied reading":      {"GetItem", denied, apierror.Internal},
		"throttled putting":   {"PutItem", throttled, apierror.Throttled},
		"reset putting":       {"PutItem", faultwire.LoseRequest, apierror.Unavailable},
		"denied putting":      {"PutItem", denied, apierror.Internal},
		"hanging in the put":  {"PutItem", faultwire.Hang, apierror.Unavailable},
		"hanging in the read": {"GetItem", faultwire.Hang, apierror.Unavailable},
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
