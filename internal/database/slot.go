package database

import (
	"strconv"
	"time"
)

const (
	// SlotHoldTime is how long a slot can be held to drop it. It is longer than a drop
	// takes.
	SlotHoldTime = 30 * time.Second
	// MaxSlotUsers is how many databases are recorded as the users of one slot, or of one
	// publication. More are registered, but not recorded.
	MaxSlotUsers = 100
)

// SlotKey identifies the slot of d, whatever its host is called: a hash of the
// server's system identifier, the database's name and the slot's name. It is empty
// where the system identifier is not known.
func (d Database) SlotKey() string {
	if d.Source.SystemIdentifier == "" {
		return ""
	}
	return digest([]byte(d.Source.SystemIdentifier + "\x00" + d.Endpoint.Database + "\x00" + d.Slot.SlotName))
}

// PublicationKey identifies the publication of d as SlotKey does its slot. A publication
// is recorded like a slot, but slots may share it: it is only not dropped while it has
// users.
func (d Database) PublicationKey() string {
	if d.Source.SystemIdentifier == "" {
		return ""
	}
	return digest([]byte("publication\x00" + d.Source.SystemIdentifier + "\x00" + d.Endpoint.Database + "\x00" + d.Slot.PublicationName))
}

// SlotUser is a registered database that has a slot, or a publication.
type SlotUser struct {
	Account    string `json:"account"`
	DatabaseID string `json:"database"`
	// Name is not stored: the service fills it in.
	Name string `json:"-"`
}

func (d Database) user() SlotUser { return SlotUser{Account: d.Account, DatabaseID: d.ID} }

// SlotHold keeps a slot, or a publication, from being registered while it is dropped. Key
// is its SlotKey or PublicationKey.
type SlotHold struct {
	Key, Holder string
	// Expected has the recorded users: with others, the slot is not held.
	Expected []SlotUser
	Since    time.Time
}

// Until returns when the hold lapses.
func (h SlotHold) Until() time.Time { return h.Since.Add(SlotHoldTime) }

// SlotSharedError says that other databases than expected have the slot.
type SlotSharedError struct{ Users []SlotUser }

// Error returns how many have it.
func (e *SlotSharedError) Error() string {
	return "the replication slot has " + strconv.Itoa(len(e.Users)) + " registered databases"
}
