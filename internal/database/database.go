package database

import (
	"time"

	"github.com/headgate/headgate/internal/check"
)

// Defaults and fixed values of the database object, as Sequin's API has them.
const (
	DefaultPort = 5432

	PoolSize      = 10
	QueueInterval = 1000
	QueueTarget   = 50
)

// The values of ssl_mode. An endpoint without one follows its SSL field.
const (
	SSLModeRequire    = "require"
	SSLModeVerifyFull = "verify-full"
)

// The values of a replication slot's status.
const (
	SlotActive   = "active"
	SlotDisabled = "disabled"
)

// Endpoint is where a Postgres database is and as whom to log in: everything
// about one connection but its password. It is what the catalog stores.
type Endpoint struct {
	Hostname    string `json:"hostname"`
	Port        int    `json:"port"`
	Database    string `json:"database"`
	Username    string `json:"username"`
	SSL         bool   `json:"ssl"`
	IPv6        bool   `json:"ipv6"`
	SSLMode     string `json:"ssl_mode,omitempty"`
	SSLRootCert string `json:"ssl_root_cert,omitempty"`
	// PasswordSecretARN names the secret that has the password, where it is
	// somebody else's to keep: it is read when needed, and never copied.
	PasswordSecretARN string `json:"password_secret_arn,omitempty"`
	// UsernameFromSecret says that the user name was left to that secret, so that
	// a rotation may change it.
	UsernameFromSecret bool `json:"username_from_secret,omitempty"`
}

// Slot is the replication slot that belongs to a database connection, with the
// publication it is read through.
type Slot struct {
	ID              string `json:"id"`
	PublicationName string `json:"publication_name"`
	SlotName        string `json:"slot_name"`
	Status          string `json:"status"`
}

// Database is a registered database connection. It holds no password: those are
// in the vault, under the version that SecretVersion names.
type Database struct {
	ID       string          `json:"id"`
	Account  string          `json:"account"`
	Name     string          `json:"name"`
	Endpoint Endpoint        `json:"endpoint"`
	Primary  *Endpoint       `json:"primary,omitempty"`
	Slot     Slot            `json:"slot"`
	Warnings []check.Warning `json:"warnings,omitempty"`

	// Version counts the changes, from 1: an update must name the one it read.
	Version int64 `json:"version"`
	// Change names the write that made this state, so that one which landed
	// unseen is known again.
	Change string `json:"change"`
	// SecretVersion is the vault's name for the version of the passwords that
	// belongs to this state.
	SecretVersion string    `json:"secret_version"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// Passwords are the secrets of one database connection.
type Passwords struct {
	Main Password
	// Primary is empty where the connection has no primary.
	Primary Password
}

// Target is what a probe is given: where to connect, and what has to be there.
type Target struct {
	Endpoint  Endpoint
	Primary   *Endpoint
	Passwords Passwords
	Slot      Slot
}

// target returns what a probe of d needs.
func (d Database) target(p Passwords) Target {
	return Target{Endpoint: d.Endpoint, Primary: d.Primary, Passwords: p, Slot: d.Slot}
}

// Table is one table of a publication. ReplicaIdentity is default, nothing, full
// or index.
type Table struct {
	Schema          string `json:"schema"`
	Name            string `json:"name"`
	ReplicaIdentity string `json:"replica_identity"`
	Readable        bool   `json:"readable"`
}

// Tables are a publication's tables; Truncated where there are more than fit
// into 5 MB of JSON.
type Tables struct {
	Tables    []Table
	Truncated bool
}
