package health

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/headgate/headgate/internal/database"
)

// MaxDatabases is how many databases a message names.
const MaxDatabases = 10

// Message is the body of a message on the queue: the databases to check.
type Message struct {
	Databases []database.Ref `json:"databases"`
}

// decode returns the message in body.
func decode(body string) (Message, error) {
	var m Message
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		// The error repeats a part of the body.
		return Message{}, errors.New("decode message: not the JSON of a message")
	}
	if len(m.Databases) == 0 || len(m.Databases) > MaxDatabases {
		return Message{}, fmt.Errorf("decode message: %d databases", len(m.Databases))
	}
	for _, ref := range m.Databases {
		if !database.IsAccount(ref.Account) || !database.IsUUID(ref.DatabaseID) {
			return Message{}, errors.New("decode message: not an account and the ID of a database")
		}
	}
	return m, nil
}
