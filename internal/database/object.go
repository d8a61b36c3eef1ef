package database

import (
	"encoding/json"

	"github.com/headgate/headgate/internal/check"
)

// Object is the database object of the API, with its fields in the API's order.
type Object struct {
	ID                string          `json:"id"`
	Name              string          `json:"name"`
	Hostname          string          `json:"hostname"`
	Port              int             `json:"port"`
	Database          string          `json:"database"`
	Username          string          `json:"username"`
	Password          string          `json:"password,omitempty"`
	PasswordSecretARN string          `json:"password_secret_arn,omitempty"`
	Authentication    string          `json:"authentication,omitempty"`
	SecretARN         string          `json:"secret_arn,omitempty"`
	SSL               bool            `json:"ssl"`
	IPv6              bool            `json:"ipv6"`
	SSLMode           string          `json:"ssl_mode,omitempty"`
	SSLRootCert       string          `json:"ssl_root_cert,omitempty"`
	UseLocalTunnel    bool            `json:"use_local_tunnel"`
	PoolSize          int             `json:"pool_size"`
	QueueInterval     int             `json:"queue_interval"`
	QueueTarget       int             `json:"queue_target"`
	ReplicationSlots  []Slot          `json:"replication_slots"`
	Primary           *PrimaryObject  `json:"primary,omitempty"`
	Annotations       json.RawMessage `json:"annotations,omitempty"`
	Warnings          []check.Warning `json:"warnings,omitempty"`
	// Health is set only where it was asked for.
	Health *Health `json:"health,omitempty"`
	// Created is only in the answer of a request that made something on the target.
	Created []string `json:"created,omitempty"`
	// LeftOnTarget is only in the answer of an update that has moved to another slot.
	LeftOnTarget *LeftOnTarget `json:"left_on_target,omitempty"`
}

// PrimaryObject is the primary in a database object, which never shows its
// password.
type PrimaryObject struct {
	Hostname          string `json:"hostname"`
	Port              int    `json:"port"`
	Database          string `json:"database"`
	Username          string `json:"username"`
	PasswordSecretARN string `json:"password_secret_arn,omitempty"`
	Authentication    string `json:"authentication,omitempty"`
	SSL               bool   `json:"ssl"`
	IPv6              bool   `json:"ipv6"`
	SSLMode           string `json:"ssl_mode,omitempty"`
	SSLRootCert       string `json:"ssl_root_cert,omitempty"`
}

// Object returns the database object of d, with its password masked or, for a
// password by reference, the ARN.
func (d Database) Object() Object {
	e := d.Endpoint
	o := Object{
		ID: d.ID, Name: d.Name,
		Hostname: e.Hostname, Port: e.Port, Database: e.Database, Username: e.Username,
		Password: Mask, Authentication: e.Authentication, SecretARN: d.SecretARN, SSL: e.SSL, IPv6: e.IPv6, SSLMode: e.SSLMode, SSLRootCert: e.SSLRootCert,
		PoolSize: 10, QueueInterval: 1000, QueueTarget: 50, // fixed, as in Sequin's API
		ReplicationSlots: []Slot{d.Slot},
		Annotations:      json.RawMessage(d.Annotations),
		Warnings:         check.BoundedWarnings(d.Warnings),
		Created:          d.Created,
	}
	if !e.storesPassword() {
		// A secret of ours has the primary's password only.
		o.Password, o.PasswordSecretARN, o.SecretARN = "", e.PasswordSecretARN, ""
	}
	if d.Primary != nil {
		p := d.Primary
		o.Primary = &PrimaryObject{
			Hostname: p.Hostname, Port: p.Port, Database: p.Database, Username: p.Username, PasswordSecretARN: p.PasswordSecretARN, Authentication: p.Authentication,
			SSL: p.SSL, IPv6: p.IPv6, SSLMode: p.SSLMode, SSLRootCert: p.SSLRootCert,
		}
	}
	return o
}

// WithHealth returns o with its health.
func (o Object) WithHealth(h Health) Object {
	o.Health = &h
	return o
}

// Reveal returns o with the password in clear.
func (o Object) Reveal(p Password) Object {
	o.Password = p.Reveal()
	return o
}
