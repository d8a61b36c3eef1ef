package database

// Status is the outcome of a check.
type Status string

// The outcomes of a check.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Warned  Status = "warning"
	Skipped Status = "skipped"
)

// The names of the checks, in the order in which a report has them.
const (
	CheckAddress          = "address"
	CheckConnection       = "connection"
	CheckTLS              = "tls"
	CheckAuthentication   = "authentication"
	CheckPooler           = "pooler"
	CheckServerVersion    = "server_version"
	CheckStandby          = "standby"
	CheckWALLevel         = "wal_level"
	CheckReplicationRole  = "replication_role"
	CheckWALSenders       = "walsenders"
	CheckPublication      = "publication"
	CheckReplicationSlot  = "replication_slot"
	CheckPublicationOrder = "publication_order"
	CheckTables           = "tables"
)

// CheckNames lists the names of all checks in the order of a report.
func CheckNames() []string {
	return []string{
		CheckAddress, CheckConnection, CheckTLS, CheckAuthentication, CheckPooler,
		CheckServerVersion, CheckStandby, CheckWALLevel, CheckReplicationRole, CheckWALSenders,
		CheckPublication, CheckReplicationSlot, CheckPublicationOrder, CheckTables,
	}
}

// Check is one entry of a report: what was looked at and what was found. Code
// and Message are set for a failure or a warning, Fix where a statement or a
// setting mends it.
type Check struct {
	Name    string `json:"name"`
	Status  Status `json:"status"`
	Code    Code   `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Fix     string `json:"fix,omitempty"`
}

// Report is what a probe found: at least one entry for each check, in order.
type Report []Check

// FirstFailure is the first failed entry, and whether there is one.
func (r Report) FirstFailure() (Check, bool) {
	for _, c := range r {
		if c.Status == Failed {
			return c, true
		}
	}
	return Check{}, false
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

// count is the number of entries with status s.
func (r Report) count(s Status) int {
	n := 0
	for _, c := range r {
		if c.Status == s {
			n++
		}
	}
	return n
}
