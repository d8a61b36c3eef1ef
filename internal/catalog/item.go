package catalog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/headgate/headgate/internal/database"
)

// The names of the attributes.
const (
	attrPK            = "PK"
	attrSK            = "SK"
	attrVersion       = "version"
	attrSecretVersion = "secret_version"
	attrCreatedAt     = "created_at"
	attrDocument      = "document"
	attrDatabaseID    = "database_id"
)

// item is one item of the table, or its key.
type item map[string]types.AttributeValue

func key(pk, sk string) item { return item{attrPK: text(pk), attrSK: text(sk)} }

func databaseKey(account, id string) item { return key("account#"+account, "database#"+id) }

func nameKey(account, name string) item { return key("account#"+account, "name#"+name) }

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// text is the string attribute called name, or empty.
func (i item) text(name string) string {
	if v, ok := i[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

// unix is the time in the number attribute called name, or zero.
func (i item) unix(name string) (time.Time, error) {
	v, ok := i[name].(*types.AttributeValueMemberN)
	if !ok {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("attribute %s: %w", name, err)
	}
	return time.Unix(n, 0).UTC(), nil
}

// time is the time in the string attribute called name, or zero.
func (i item) time(name string) (time.Time, error) {
	s := i.text(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("attribute %s: %w", name, err)
	}
	return t, nil
}

func stamp(t time.Time) types.AttributeValue { return text(t.UTC().Format(time.RFC3339Nano)) }

// databaseItem is d as it is stored. Version and secret_version are attributes
// of their own for the conditions of an update.
func databaseItem(d database.Database) (item, error) {
	document, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding database %s: %w", d.ID, err)
	}
	i := databaseKey(d.Account, d.ID)
	i[attrVersion] = number(d.Version)
	i[attrSecretVersion] = text(d.SecretVersion)
	i[attrCreatedAt] = stamp(d.CreatedAt)
	i[attrDocument] = text(string(document))
	return i, nil
}

func (i item) database() (database.Database, error) {
	var d database.Database
	if err := json.Unmarshal([]byte(i.text(attrDocument)), &d); err != nil {
		return database.Database{}, fmt.Errorf("decoding the document: %w", err)
	}
	return d, nil
}

// guardItem keeps a name for the database id.
func guardItem(account, name, id string) item {
	i := nameKey(account, name)
	i[attrDatabaseID] = text(id)
	return i
}
