package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/headgate/headgate/internal/database"
)

// Record is what a record of the table's stream says about a database. Old and New
// are the database before and after the write, OldHealth and NewHealth its health; nil
// where it does not exist. All four are nil for an item of another kind.
type Record struct {
	Account, DatabaseID  string
	Old, New             *database.Database
	OldHealth, NewHealth *database.HealthRecord
}

// streamImage is an item in a record of the stream. The attributes of databases and
// health that are read here are strings.
type streamImage map[string]struct{ S string }

// ParseRecord reads a record of the stream in the form of Lambda's events, which is
// also that of the AWS CLI.
func ParseRecord(text []byte) (Record, error) {
	var parsed struct {
		DynamoDB struct{ Keys, OldImage, NewImage streamImage }
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return Record{}, fmt.Errorf("decode stream record: %w", err)
	}
	change := parsed.DynamoDB
	pk, sk := change.Keys[attrPK].S, change.Keys[attrSK].S
	if pk == "" || sk == "" {
		return Record{}, errors.New("decode stream record: no key")
	}
	account, ok := strings.CutPrefix(pk, partition(""))
	if !ok {
		return Record{}, nil
	}
	if id, ok := strings.CutPrefix(sk, databasePrefix); ok {
		before, errBefore := decodeImage[database.Database](change.OldImage)
		after, errAfter := decodeImage[database.Database](change.NewImage)
		return Record{Account: account, DatabaseID: id, Old: before, New: after}, errors.Join(errBefore, errAfter)
	}
	if id, ok := strings.CutPrefix(sk, healthPrefix); ok {
		before, errBefore := decodeImage[database.HealthRecord](change.OldImage)
		after, errAfter := decodeImage[database.HealthRecord](change.NewImage)
		return Record{Account: account, DatabaseID: id, OldHealth: before, NewHealth: after}, errors.Join(errBefore, errAfter)
	}
	return Record{}, nil
}

// decodeImage returns the document of an item, nil for no item.
func decodeImage[T any](image streamImage) (*T, error) {
	if len(image) == 0 {
		return nil, nil
	}
	document := new(T)
	if err := json.Unmarshal([]byte(image[attrDocument].S), document); err != nil {
		return nil, fmt.Errorf("decode attribute %s: %w", attrDocument, err)
	}
	return document, nil
}
