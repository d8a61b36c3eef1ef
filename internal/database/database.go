package database

import (
	"time"

	"github.com/headgate/headgate/internal/check"
)

// DefaultPort is the port of an endpoint that none was sent for.
const DefaultPort = 5432

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

// Endpoint is a Postgres database and the role to log in as, without its
// password. The JSON form is the catalog's.
type Endpoint struct {
	Hostname    string `json:"hostname"`
	Port        int    `json:"port"`
	Database    string `json:"database"`
	Username    string `json:"username"`
	SSL         bool   `json:"ssl"`
	IPv6        bool   `json:"ipv6"`
	SSLMode     string `json:"ssl_mode,omitempty"`
	SSLRootCert string `json:"ssl_root_cert,omitempty"`
	// PasswordSecretARN names a secret that belongs to somebody else and has the
	// password. It is read when needed and never copied.
	PasswordSecretARN string `json:"password_secret_arn,omitempty"`
	// UsernameFromSecret says that the request left the user name to that secret,
	// so that a rotation may change it.
	UsernameFromSecret bool `json:"username_from_secret,omitempty"`
	// Authentication is AuthenticationRDSIAM, or empty for a password.
	Authentication string `json:"authentication,omitempty"`
}

// Slot is the replication slot of a database and the publication that it is read
// with.
type Slot struct {
	ID              string `json:"id"`
	PublicationName string `json:"publication_name"`
	SlotName        string `json:"slot_name"`
	Status          string `json:"status"`
}

// Database is a registered database. Its passwords are in the vault, in the
// version that SecretVersion names, or by reference. The JSON form is the catalog's.
type Database struct {
	ID       string          `json:"id"`
	Account  string          `json:"account"`
	Name     string          `json:"name"`
	Endpoint Endpoint        `json:"endpoint"`
	Primary  *Endpoint       `json:"primary,omitempty"`
	Slot     Slot            `json:"slot"`
	Warnings []check.Warning `json:"warnings,omitempty"`
	// Known is what Warnings are about, by which a check tells others.
	Known []Known `json:"known,omitempty"`
	// Annotations is the text of a JSON object as it was sent, empty if none was. It
	// is a string because an encoder would change the text.
	Annotations string `json:"annotations,omitempty"`
	// Source is that of the last examination. It is empty if there was none of this
	// target, or the server did not tell.
	Source Source `json:"source,omitzero"`
	// Created is what the create made on the target. It is stored in the result of a
	// claim only.
	Created []string `json:"created,omitempty"`

	// Replaces is the ID of the database of another account that this one was registered
	// in place of, or empty.
	Replaces string `json:"replaces,omitempty"`

	// Version counts the writes from 1, for optimistic locking.
	Version int64 `json:"version"`
	// Change identifies the last write, so that its retry recognises it. It is also the
	// ID of the event that publishes the write.
	Change string `json:"change"`
	// ChangedBy is the origin of the last write.
	ChangedBy Origin `json:"changed_by,omitzero"`
	// ChangedPasswords has the fields of the passwords that the last write changed,
	// because the passwords themselves are not in the catalog.
	ChangedPasswords []string `json:"changed_passwords,omitempty"`
	// SecretVersion is empty where every password is by reference: there is no secret
	// in the vault.
	SecretVersion string `json:"secret_version"`
	// SecretARN is the ARN of the secret that has SecretVersion. It is empty in the
	// local store, and in databases whose secret was last written before ARNs were kept.
	SecretARN string    `json:"secret_arn,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// needsSecret reports whether d has a password that is stored here: not one by
// reference, and not a token in its place.
func (d Database) needsSecret() bool {
	return d.Endpoint.storesPassword() || d.Primary != nil && d.Primary.storesPassword()
}

func (d *Database) setSecret(v SecretVersion) { d.SecretVersion, d.SecretARN = v.Version, v.ARN }

// target returns what a probe of d needs.
func (d Database) target(p Passwords) Target {
	return Target{Endpoint: d.Endpoint, Primary: d.Primary, Passwords: p, Slot: d.Slot}
}

func (d *Database) setTarget(t Target) {
	d.Endpoint, d.Primary, d.Slot = t.Endpoint, t.Primary, t.Slot
}

// Passwords are the passwords of one database. One is empty where there is no
// primary, or where a secret is referenced instead.
type Passwords struct{ Main, Primary Password }

// Target is what a probe needs: where to connect, and what must be there.
type Target struct {
	Endpoint  Endpoint
	Primary   *Endpoint
	Passwords Passwords
	Slot      Slot
	// Creation is never stored.
	Creation Creation
}

// Creation is what a create or an update may make on the target where it is missing.
type Creation struct {
	Slot bool
	// Publication is nil if the publication has to exist.
	Publication *NewPublication
}

// NewPublication is what a new publication has: its tables or the tables of its
// schemas, and all tables of the database where neither is given.
type NewPublication struct {
	Tables  []TableName
	Schemas []string
	ViaRoot bool // publish_via_partition_root
}

// TableName is the name of a table in a schema.
type TableName struct{ Schema, Name string }

// Table is a table of a publication. ReplicaIdentity is default, nothing, full or
// index.
type Table struct {
	Schema          string `json:"schema"`
	Name            string `json:"name"`
	ReplicaIdentity string `json:"replica_identity"`
	Readable        bool   `json:"readable"`
}
