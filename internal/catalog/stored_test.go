package catalog_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// attributes returns the attributes of an item: strings as they are, numbers with
// the prefix N:, binary values in hex with the prefix B:.
func attributes(i map[string]types.AttributeValue) map[string]string {
	out := map[string]string{}
	for name, value := range i {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			out[name] = v.Value
		case *types.AttributeValueMemberN:
			out[name] = "N:" + v.Value
		case *types.AttributeValueMemberB:
			out[name] = "B:" + hex.EncodeToString(v.Value)
		default:
			out[name] = fmt.Sprintf("%T", value)
		}
	}
	return out
}

// flat returns an item as text.
func flat(i map[string]types.AttributeValue) string {
	a := attributes(i)
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a)) {
		out.WriteString(name + "=" + a[name] + "\n")
	}
	return out.String()
}

// item returns the item with that key.
func (t table) item(tb testing.TB, pk, sk string) map[string]string {
	tb.Helper()
	out, err := t.client().GetItem(tb.Context(), &dynamodb.GetItemInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{
			"PK": &types.AttributeValueMemberS{Value: pk}, "SK": &types.AttributeValueMemberS{Value: sk},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return attributes(out.Item)
}

func wantItem(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("item %v, want %v", got, want)
	}
}

func TestInsert_StoredItems(t *testing.T) {
	t.Parallel()
	tab, d := newTable(t), storetest.Database(storetest.Account(), "orders")
	if err := tab.catalog().Insert(storetest.Context(t), d, nil); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	pk := "account#" + d.Account
	wantItem(t, tab.item(t, pk, "database#"+d.ID), map[string]string{
		"PK": pk, "SK": "database#" + d.ID, "version": "N:1", "change": d.Change, "secret_version": d.SecretVersion,
		"created_at": "2026-03-04T05:06:07.000000891Z", "document": string(document),
		"check_shard": strconv.Itoa(database.Ref{DatabaseID: d.ID}.Shard()),
	})
	wantItem(t, tab.item(t, pk, "name#orders"), map[string]string{
		"PK": pk, "SK": "name#orders", "database_id": d.ID,
	})
}

func TestClaim_StoredItem(t *testing.T) {
	t.Parallel()
	tab, c := newTable(t), newClaim()
	if _, err := tab.catalog().Claim(storetest.Context(t), c); err != nil {
		t.Fatal(err)
	}
	pk, sk := "account#"+c.Account, "request#"+c.Key
	want := map[string]string{
		"PK": pk, "SK": sk, "owner": c.Owner, "payload_hash": c.PayloadHash,
		"claimed_at": "2026-03-04T05:06:07.120000000Z",
		// 24 hours later, rounded up.
		"expires_at": "N:1772687168",
	}
	wantItem(t, tab.item(t, pk, sk), want)
	d := storetest.Database(c.Account, "orders")
	if err := tab.catalog().Insert(storetest.Context(t), d, &c); err != nil {
		t.Fatal(err)
	}
	result, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want["database"], want["result"] = d.ID, string(result)
	wantItem(t, tab.item(t, pk, sk), want)
}

func TestCursorKey_StoredOnce(t *testing.T) {
	t.Parallel()
	tab, account := newTable(t), storetest.Account()
	key, err := tab.catalog().CursorKey(storetest.Context(t), account)
	if err != nil {
		t.Fatal(err)
	}
	pk := "cursor#" + account
	wantItem(t, tab.item(t, pk, "cursor"), map[string]string{"PK": pk, "SK": "cursor", "cursor_key": "B:" + hex.EncodeToString(key)})
	if _, err := tab.catalog().CursorKey(storetest.Context(t), account); err != nil {
		t.Fatal(err)
	}
	if puts := len(tab.wire.Requests("PutItem")); puts != 1 {
		t.Errorf("%d puts, want 1", puts)
	}
}

func TestKeys_StoredItems(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	expires := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	text, k := apikey.New(apikey.CreateRequest{
		AccountID: storetest.Account(), Name: "deploys", ExpiresAt: expires, Scopes: apikey.Scopes{apikey.Read, apikey.Write},
	}, time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	keys := tab.catalog().Keys()
	if err := keys.Insert(storetest.Context(t), k); err != nil {
		t.Fatal(err)
	}
	if err := keys.Revoke(storetest.Context(t), k.Account, k.ID, expires); err != nil {
		t.Fatal(err)
	}
	if err := keys.RecordUse(storetest.Context(t), k.Hash, "2026-03-05"); err != nil {
		t.Fatal(err)
	}
	wantItem(t, tab.item(t, "key#"+k.Hash, "key"), map[string]string{
		"PK": "key#" + k.Hash, "SK": "key", "account_id": k.Account, "id": k.ID, "name": "deploys", "scopes": "read,write",
		"created_at": "2026-03-04T05:06:07Z", "expires_at": "N:4102444800", "revoked_at": "2100-01-01T00:00:00Z", "last_used_on": "2026-03-05",
	})
	wantItem(t, tab.item(t, "keys#"+k.Account, "key#"+k.ID), map[string]string{
		"PK": "keys#" + k.Account, "SK": "key#" + k.ID, "hash": k.Hash, "expires_at": "N:4102444800",
	})
	wantAbsent(t, tab, text.Reveal())
}

func TestKeys_WithoutExpiryHaveNoTTL(t *testing.T) {
	t.Parallel()
	tab := newTable(t)
	k := newKey()
	if err := tab.catalog().Keys().Insert(storetest.Context(t), k); err != nil {
		t.Fatal(err)
	}
	for _, i := range []map[string]string{
		tab.item(t, "key#"+k.Hash, "key"), tab.item(t, "keys#"+k.Account, "key#"+k.ID),
	} {
		if value, ok := i["expires_at"]; ok || len(i) == 0 {
			t.Errorf("expires_at %q in %v", value, i)
		}
	}
}

func TestKeys_WithoutScopesHaveAll(t *testing.T) {
	t.Parallel()
	tab, k := newTable(t), newKey()
	// As keys were stored before there were scopes.
	_, err := tab.client().PutItem(storetest.Context(t), &dynamodb.PutItemInput{TableName: &tab.name, Item: map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: "key#" + k.Hash}, "SK": &types.AttributeValueMemberS{Value: "key"},
		"id": &types.AttributeValueMemberS{Value: k.ID}, "account_id": &types.AttributeValueMemberS{Value: k.Account},
		"name": &types.AttributeValueMemberS{Value: k.Name}, "created_at": &types.AttributeValueMemberS{Value: "2026-03-04T05:06:07Z"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := tab.catalog().Keys().Find(storetest.Context(t), k.Hash); err != nil || !slices.Equal(found.Scopes, apikey.AllScopes()) {
		t.Errorf("scopes %v (%v), want all", found.Scopes, err)
	}
}

// newKey returns a key of a new account, which does not expire.
func newKey() apikey.Key {
	_, k := apikey.New(apikey.CreateRequest{AccountID: storetest.Account(), Name: "deploys", Scopes: apikey.AllScopes()}, time.Now())
	return k
}

// wantAbsent fails the test if the table, or any request, contains text.
func wantAbsent(t *testing.T, tab table, text string) {
	t.Helper()
	dump, err := tab.dump(storetest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	if dump == "" {
		t.Error("the table is empty")
	}
	sent := strings.Join(tab.wire.Requests("TransactWriteItems"), "\n")
	if strings.Contains(dump+sent, text) {
		t.Errorf("%q is in the table or a request", text)
	}
}

func TestCatalog_MalformedItems(t *testing.T) {
	t.Parallel()
	tab, account := newTable(t), storetest.Account()
	for sk, partition := range map[string]string{
		"database#broken": "account#", "name#broken": "account#", "request#broken": "account#", "cursor": "cursor#",
	} {
		_, err := tab.client().PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: &tab.name, Item: map[string]types.AttributeValue{
				"PK": &types.AttributeValueMemberS{Value: partition + account}, "SK": &types.AttributeValueMemberS{Value: sk},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := tab.catalog().Get(storetest.Context(t), account, "broken")
	wantKind(t, err, apierror.Internal)
	_, err = tab.catalog().NameOwner(storetest.Context(t), account, "broken")
	wantKind(t, err, apierror.Internal)
	_, err = tab.catalog().List(storetest.Context(t), account, "", 10)
	wantKind(t, err, apierror.Internal)
	_, err = tab.catalog().CursorKey(storetest.Context(t), account)
	wantKind(t, err, apierror.Internal)
	c := newClaim()
	c.Account, c.Key = account, "broken"
	_, err = tab.catalog().Claim(storetest.Context(t), c)
	wantKind(t, err, apierror.Internal)
}

func wantKind(t *testing.T, err error, kind apierror.Kind) {
	t.Helper()
	if err == nil || apierror.KindOf(err) != kind {
		t.Fatalf("error %v of kind %d, want kind %d", err, apierror.KindOf(err), kind)
	}
}
