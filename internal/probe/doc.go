// Package probe asks a Postgres server what it is, and turns the answer into
// checks. Asking (the network: address, dial, session, ask) and judging (pure
// functions from evidence to checks: judge and what it calls) are apart.
//
// Facts about servers were tried on PostgreSQL 13 to 18.
package probe

import "github.com/headgate/headgate/internal/database"

// The codes of what a check can find, as api.md lists them.
const (
	HostnameNotFound  database.Code = "hostname_not_found"
	AddressNotAllowed database.Code = "address_not_allowed"
	NoIPv4Address     database.Code = "no_ipv4_address"
	NoIPv6Address     database.Code = "no_ipv6_address"

	ConnectionRefused  database.Code = "connection_refused"
	ConnectionTimeout  database.Code = "connection_timeout"
	NetworkUnreachable database.Code = "network_unreachable"
	NotPostgres        database.Code = "not_postgres"
	ConnectionLost     database.Code = "connection_lost"

	TLSNotSupported       database.Code = "tls_not_supported"
	TLSFailed             database.Code = "tls_failed"
	TLSCertificateInvalid database.Code = "tls_certificate_invalid"
	TLSRequired           database.Code = "tls_required"

	AuthenticationFailed   database.Code = "authentication_failed"
	DatabaseNotFound       database.Code = "database_not_found"
	ConnectionNotPermitted database.Code = "connection_not_permitted"
	TooManyConnections     database.Code = "too_many_connections"
	ServerUnavailable      database.Code = "server_unavailable"
	ServerError            database.Code = "server_error"

	ConnectionPooler         database.Code = "connection_pooler"
	UnsupportedServerVersion database.Code = "unsupported_server_version"

	PrimaryRequired       database.Code = "primary_required"
	StandbyUnsupported    database.Code = "standby_unsupported"
	PrimaryUnreachable    database.Code = "primary_unreachable"
	PrimaryIsStandby      database.Code = "primary_is_standby"
	PrimaryMismatch       database.Code = "primary_mismatch"
	HotStandbyFeedbackOff database.Code = "hot_standby_feedback_off"
	PrimaryNotNeeded      database.Code = "primary_not_needed"

	WALLevelNotLogical      database.Code = "wal_level_not_logical"
	ReplicationNotPermitted database.Code = "replication_not_permitted"
	NoWALSenderAvailable    database.Code = "no_walsender_available"
	WALSendersLow           database.Code = "walsenders_low"

	PublicationNotFound          database.Code = "publication_not_found"
	PublicationEmpty             database.Code = "publication_empty"
	PublicationOperationsMissing database.Code = "publication_operations_missing"
	PublicationNotViaRoot        database.Code = "publication_not_via_root"

	SlotNotFound      database.Code = "replication_slot_not_found"
	SlotWrongDatabase database.Code = "replication_slot_wrong_database"
	SlotNotLogical    database.Code = "replication_slot_not_logical"
	SlotWrongPlugin   database.Code = "replication_slot_wrong_plugin"
	SlotInvalidated   database.Code = "replication_slot_invalidated"
	SlotTemporary     database.Code = "replication_slot_temporary"
	SlotSynced        database.Code = "replication_slot_synced"
	SlotActive        database.Code = "replication_slot_active"
	SlotLagging       database.Code = "replication_slot_lagging"
	SlotAtRisk        database.Code = "replication_slot_at_risk"

	PublicationAfterSlot          database.Code = "publication_after_slot"
	PublicationAfterSlotSuspected database.Code = "publication_after_slot_suspected"

	TablesUnreadable       database.Code = "tables_unreadable"
	ReplicaIdentityMissing database.Code = "replica_identity_missing"
)
