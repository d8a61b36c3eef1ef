package check

// Check describes one check to a reader.
type Check struct {
	Name  string
	About string // what is looked at
	Codes []Definition
}

// Definition describes one code to a reader, in complete sentences.
type Definition struct {
	Code    Code
	Status  Status // Failed or Warned
	Meaning string // what it means for a consumer of the slot
	Cause   string
	Fix     string
}

// Table returns all checks in the order of a report, each with all of its codes, and
// then the codes that are not of one check.
//
// It is built anew at each call, so that it costs the functions nothing at start-up.
// Only documentation and tests use it.
func Table() []Check {
	return []Check{
		{Name: Address, Codes: addressCodes(), About: "The host name resolves to addresses that this deployment may dial."},
		{Name: Connection, Codes: connectionCodes(), About: "A Postgres server takes the TCP connection and answers on it."},
		{Name: TLS, Codes: tlsCodes(), About: "The connection is encrypted as `ssl`, `ssl_mode` and `ssl_root_cert` demand."},
		{Name: Authentication, Codes: authenticationCodes(), About: "The server lets the role into the database."},
		{Name: Pooler, Codes: poolerCodes(), About: "The server itself answers, not a connection pooler in front of it."},
		{Name: ServerVersion, Codes: serverVersionCodes(), About: "The server's major version is supported."},
		{Name: Standby, Codes: standbyCodes(), About: "A standby can decode WAL, and `primary` is the server that it follows."},
		{Name: WALLevel, Codes: walLevelCodes(), About: "The server, and for a standby its primary, writes WAL that can be decoded."},
		{Name: ReplicationRole, Codes: replicationRoleCodes(), About: "The role may open replication connections."},
		{Name: WALSenders, Codes: walsendersCodes(), About: "The server has a free walsender for the consumer."},
		{Name: Publication, Codes: publicationCodes(), About: "The publication exists and sends what a consumer expects."},
		{Name: ReplicationSlot, Codes: replicationSlotCodes(), About: "The slot exists, belongs to this database, and can be read with `pgoutput`."},
		{Name: PublicationOrder, Codes: publicationOrderCodes(), About: "The publication is older than everything that the slot still has to decode."},
		{Name: Tables, Codes: tablesCodes(), About: "The published tables can be read, and their updates and deletes can be replicated."},
		{Name: Any, Codes: anyCodes(), About: "Codes that more than one check has."},
	}
}
