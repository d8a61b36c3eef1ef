package check

// Code is the machine-readable name of a finding or of an error in the API.
type Code string

// The codes of findings. Each has a row in [Table].
const (
	HostnameNotFound  Code = "hostname_not_found"
	AddressNotAllowed Code = "address_not_allowed"
	NoIPv4Address     Code = "no_ipv4_address"
	NoIPv6Address     Code = "no_ipv6_address"

	ConnectionRefused  Code = "connection_refused"
	ConnectionTimeout  Code = "connection_timeout"
	NetworkUnreachable Code = "network_unreachable"
	NotPostgres        Code = "not_postgres"
	ConnectionLost     Code = "connection_lost"

	TLSNotSupported       Code = "tls_not_supported"
	TLSFailed             Code = "tls_failed"
	TLSCertificateInvalid Code = "tls_certificate_invalid"
	TLSRequired           Code = "tls_required"
	TLSNotUsed            Code = "tls_not_used"

	AuthenticationFailed      Code = "authentication_failed"
	DatabaseNotFound          Code = "database_not_found"
	ConnectionNotPermitted    Code = "connection_not_permitted"
	ClientCertificateRequired Code = "client_certificate_required"
	TooManyConnections        Code = "too_many_connections"
	ServerUnavailable         Code = "server_unavailable"
	ServerError               Code = "server_error"
	IAMReplicationOff         Code = "iam_replication_off"

	ConnectionPooler         Code = "connection_pooler"
	UnsupportedServerVersion Code = "unsupported_server_version"

	PrimaryRequired       Code = "primary_required"
	StandbyUnsupported    Code = "standby_unsupported"
	PrimaryUnreachable    Code = "primary_unreachable"
	PrimaryIsStandby      Code = "primary_is_standby"
	PrimaryMismatch       Code = "primary_mismatch"
	HotStandbyFeedbackOff Code = "hot_standby_feedback_off"
	PrimaryNotNeeded      Code = "primary_not_needed"

	WALLevelNotLogical      Code = "wal_level_not_logical"
	ReplicationNotPermitted Code = "replication_not_permitted"
	NoWALSenderAvailable    Code = "no_walsender_available"
	WALSendersLow           Code = "walsenders_low"

	PublicationNotFound          Code = "publication_not_found"
	PublicationCreateDenied      Code = "publication_create_denied"
	PublicationCreateUnsafe      Code = "publication_create_unsafe"
	PublicationEmpty             Code = "publication_empty"
	PublicationOperationsMissing Code = "publication_operations_missing"
	PublicationNotViaRoot        Code = "publication_not_via_root"

	NoSlotAvailable   Code = "no_replication_slot_available"
	SlotNotFound      Code = "replication_slot_not_found"
	SlotCreateDenied  Code = "replication_slot_create_denied"
	SlotCreateBlocked Code = "replication_slot_create_blocked"
	SlotWrongDatabase Code = "replication_slot_wrong_database"
	SlotNotLogical    Code = "replication_slot_not_logical"
	SlotWrongPlugin   Code = "replication_slot_wrong_plugin"
	SlotInvalidated   Code = "replication_slot_invalidated"
	SlotTemporary     Code = "replication_slot_temporary"
	SlotSynced        Code = "replication_slot_synced"
	SlotBeingCreated  Code = "replication_slot_being_created"
	SlotActive        Code = "replication_slot_active"
	SlotLagging       Code = "replication_slot_lagging"
	SlotAtRisk        Code = "replication_slot_at_risk"
	SlotHeldBack      Code = "replication_slot_held_back"
	SlotTwoPhase      Code = "replication_slot_two_phase"
	SlotShared        Code = "replication_slot_shared"

	PublicationAfterSlot          Code = "publication_after_slot"
	DecodingFailed                Code = "decoding_failed"
	PublicationAfterSlotSuspected Code = "publication_after_slot_suspected"

	TablesUnreadable            Code = "tables_unreadable"
	ReplicaIdentityMissing      Code = "replica_identity_missing"
	ReplicaIdentityNotPublished Code = "replica_identity_not_published"
	RowFilterOutsideIdentity    Code = "row_filter_outside_identity"
	RowSecurityActive           Code = "row_security_active"

	// NotChecked is a code of every check from tls on.
	NotChecked Code = "not_checked"
)
