package check

// Status is the outcome of a
type Status string

// The outcomes of a
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Warned  Status = "warning"
	Skipped Status = "skipped"
)

// The names of the checks, in the order in which a report has them.
const (
	Address          = "address"
	Connection       = "connection"
	TLS              = "tls"
	Authentication   = "authentication"
	Pooler           = "pooler"
	ServerVersion    = "server_version"
	Standby          = "standby"
	WALLevel         = "wal_level"
	ReplicationRole  = "replication_role"
	WALSenders       = "walsenders"
	Publication      = "publication"
	ReplicationSlot  = "replication_slot"
	PublicationOrder = "publication_order"
	Tables           = "tables"
)

// Names lists the names of all checks in the order of a report.
func Names() []string {
	return []string{
		Address, Connection, TLS, Authentication, Pooler,
		ServerVersion, Standby, WALLevel, ReplicationRole, WALSenders,
		Publication, ReplicationSlot, PublicationOrder, Tables,
	}
}

// Entry is one entry of a report: what was looked at and what was found. Code
// and Message are set for a failure or a warning, Fix where a statement or a
// setting mends it.
type Entry struct {
	Name    string `json:"name"`
	Status  Status `json:"status"`
	Code    Code   `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Fix     string `json:"fix,omitempty"`
}

// Report is what a probe found: at least one entry for each check, in order.
type Report []Entry

// FirstFailure is the first failed entry, and whether there is one.
func (r Report) FirstFailure() (Entry, bool) {
	for _, c := range r {
		if c.Status == Failed {
			return c, true
		}
	}
	return Entry{}, false
}

// Warnings are the entries that warn, in the form the database object has them.
func (r Report) Warnings() []Warning {
	var ws []Warning
	for _, c := range r {
		if c.Status == Warned {
			ws = append(ws, Warning{Name: c.Name, Code: c.Code, Message: c.Message, Fix: c.Fix})
		}
	}
	return ws
}

// Count is the number of entries with status s.
func (r Report) Count(s Status) int {
	n := 0
	for _, c := range r {
		if c.Status == s {
			n++
		}
	}
	return n
}

// Warning is a finding that does not stop a registration, in the form in which
// the database object has it.
type Warning struct {
	Name    string `json:"name"`
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}
