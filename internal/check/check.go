// Package check defines what the report on a target consists of: the checks, the
// outcome of each, and the codes of what they find.
//
// [Table] documents every code. docs/checks.md is generated from it, and tests hold
// that the table, the constants and the OpenAPI document have the same codes.
package check

import "strings"

// Status is the outcome of a check.
type Status string

// The outcomes of a check.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Warned  Status = "warning"
	Skipped Status = "skipped" // not reached, or does not apply
)

// The names of the checks.
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

// Any stands for every check in [Table]: its codes are not of one check.
const Any = "any"

// Names returns the names of all checks in the order of a report.
func Names() []string {
	return []string{
		Address, Connection, TLS, Authentication, Pooler,
		ServerVersion, Standby, WALLevel, ReplicationRole, WALSenders,
		Publication, ReplicationSlot, PublicationOrder, Tables,
	}
}

// Entry is one line of a report: a check that passed or was skipped, or one
// finding of a check. Only a finding has a code, and a fix where a statement or a
// setting removes its cause. A check that passed has a message if it is about something
// that would be made.
type Entry struct {
	Name    string `json:"name"`
	Status  Status `json:"status"`
	Code    Code   `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Fix     string `json:"fix,omitempty"`
	// Objects has the names of the server's objects that a finding is about, one a line,
	// and More says how many are not listed. They tell whether a later finding with the
	// code is about others, and are not shown: the message has what a reader needs.
	Objects string `json:"-"`
	More    int    `json:"-"`
}

// About returns e with the names of the objects that it is about, and how many are not
// listed. No name has a line break.
func (e Entry) About(more int, names ...string) Entry {
	e.Objects, e.More = strings.Join(names, "\n"), more
	return e
}

// Fail returns a failed entry of the check called name.
func Fail(name string, code Code, message, fix string) Entry {
	return Entry{Name: name, Status: Failed, Code: code, Message: message, Fix: fix}
}

// Warn returns a warning of the check called name.
func Warn(name string, code Code, message, fix string) Entry {
	return Entry{Name: name, Status: Warned, Code: code, Message: message, Fix: fix}
}

// Report lists the outcome of every check in the order of [Names]. A check with
// several findings has one entry for each.
type Report []Entry

// FirstFailure returns the first failed entry, and whether there is one.
func (r Report) FirstFailure() (Entry, bool) {
	for _, e := range r {
		if e.Status == Failed {
			return e, true
		}
	}
	return Entry{}, false
}

// Warnings returns the findings that do not prevent a registration.
func (r Report) Warnings() []Warning {
	var warnings []Warning
	for _, e := range r {
		if e.Status == Warned {
			warnings = append(warnings, Warning{Name: e.Name, Code: e.Code, Message: e.Message, Fix: e.Fix})
		}
	}
	return warnings
}

// Codes returns the codes of all findings.
func (r Report) Codes() []Code {
	var codes []Code
	for _, e := range r {
		if e.Code != "" {
			codes = append(codes, e.Code)
		}
	}
	return codes
}

// Count returns the number of entries with status s.
func (r Report) Count(s Status) int {
	n := 0
	for _, e := range r {
		if e.Status == s {
			n++
		}
	}
	return n
}

// Warning is a finding as the database object shows it.
type Warning struct {
	Name    string `json:"name"`
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// Without returns r without the findings that drop holds for. A check that has no
// finding left has passed.
func (r Report) Without(drop func(Entry) bool) Report {
	kept := Report{}
	for i, e := range r {
		if !drop(e) {
			kept = append(kept, e)
			continue
		}
		alone := (len(kept) == 0 || kept[len(kept)-1].Name != e.Name) && (i+1 == len(r) || r[i+1].Name != e.Name)
		if alone {
			kept = append(kept, Entry{Name: e.Name, Status: Passed})
		}
	}
	return kept
}
