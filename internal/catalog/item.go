package catalog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/database"
)

// The attributes of items.
const (
	attrPK            = "PK"
	attrSK            = "SK"
	attrVersion       = "version"
	attrChange        = "change"
	attrSecretVersion = "secret_version"
	attrCreatedAt     = "created_at"
	attrDocument      = "document"
	attrDatabaseID    = "database_id"

	attrOwner       = "owner"
	attrPayloadHash = "payload_hash"
	attrClaimedAt   = "claimed_at"
	attrDatabase    = "database"
	attrResult      = "result"

	attrCursorKey = "cursor_key"

	attrCheckShard = "check_shard"
	attrRequestID  = "request_id"

	attrUsers     = "users"
	attrHolder    = "holder"
	attrHeldUntil = "held_until"
)

// item is an item of the table or its key.
type item map[string]types.AttributeValue

func key(pk, sk string) item { return item{attrPK: text(pk), attrSK: text(sk)} }

func databaseKey(account, id string) item { return key(partition(account), databasePrefix+id) }

func nameKey(account, name string) item { return key(partition(account), "name#"+name) }

func claimKey(c database.Claim) item { return key(partition(c.Account), "request#"+c.Key) }

func healthKey(account, id string) item { return key(partition(account), healthPrefix+id) }

func cursorItemKey(account string) item { return key("cursor#"+account, "cursor") }

// What the sort keys of databases and of their health begin with.
const (
	databasePrefix = "database#"
	healthPrefix   = "health#"
)

// partition returns the partition key of an account's items.
func partition(account string) string { return "account#" + account }

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// text returns a string attribute, empty if it is absent.
func (i item) text(name string) string {
	if v, ok := i[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

// unix returns the time in a number attribute, zero if it is absent.
func (i item) unix(name string) (time.Time, error) {
	v, ok := i[name].(*types.AttributeValueMemberN)
	if !ok {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("decode attribute %s: %w", name, err)
	}
	return time.Unix(n, 0).UTC(), nil
}

// time returns the time in a string attribute, zero if it is absent.
func (i item) time(name string) (time.Time, error) {
	s := i.text(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("decode attribute %s: %w", name, err)
	}
	return t, nil
}

func timestamp(t time.Time) types.AttributeValue { return text(t.UTC().Format(time.RFC3339Nano)) }

// isVersion reports whether the item has that version.
func (i item) isVersion(version int64) bool {
	v, ok := i[attrVersion].(*types.AttributeValueMemberN)
	return ok && v.Value == strconv.FormatInt(version, 10)
}

// databaseItem returns d's item. The version and the change are also attributes of
// their own, for the conditions of an update and for errors when they fail.
func databaseItem(d database.Database) (item, error) {
	d.Created = nil // only a result has it
	document, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode database %s: %w", d.ID, err)
	}
	i := databaseKey(d.Account, d.ID)
	i[attrVersion] = number(d.Version)
	i[attrChange] = text(d.Change)
	i[attrSecretVersion] = text(d.SecretVersion)
	i[attrCreatedAt] = timestamp(d.CreatedAt)
	i[attrDocument] = text(string(document))
	if d.Slot.Status == database.SlotActive {
		i[attrCheckShard] = text(shardKey(database.Ref{Account: d.Account, DatabaseID: d.ID}.Shard()))
	}
	return i, nil
}

// database returns the database in a string attribute.
func (i item) database(name string) (database.Database, error) {
	var d database.Database
	if err := json.Unmarshal([]byte(i.text(name)), &d); err != nil {
		return database.Database{}, fmt.Errorf("decode attribute %s: %w", name, err)
	}
	return d, nil
}

// guardItem returns the item that makes a name unique in its account.
func guardItem(account, name, id string) item {
	i := nameKey(account, name)
	i[attrDatabaseID] = text(id)
	return i
}
