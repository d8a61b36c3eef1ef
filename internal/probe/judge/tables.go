package judge

import (
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

func tablesKnown(s subject) bool {
	return answered(facts.PartTables)(s) && s.Facts.FoundPublication() != nil
}

func judgeTables(s subject) []check.Entry {
	findings := unreadable(s)
	if p := s.Facts.FoundPublication(); p.Update || p.Delete {
		findings = append(findings, withoutIdentity(s)...)
	}
	return findings
}

// unreadable reports the schemas and tables that a backfill can't read.
func unreadable(s subject) []check.Entry {
	t := s.Facts.Tables
	role := "CURRENT_USER"
	if s.Facts.Server != nil {
		role = quote.Identifier(s.Facts.Server.Role)
	}
	var findings []check.Entry
	if len(t.Closed) > 0 {
		findings = append(findings, check.Warn(check.Tables, check.TablesUnreadable,
			"role "+role+" may not use schema "+list(t.Closed)+": a backfill of its tables will fail",
			"GRANT USAGE ON SCHEMA "+list(t.Closed)+" TO "+role+s.onPrimary()))
	}
	if len(t.Unreadable) > 0 {
		fix := "GRANT SELECT ON TABLE " + list(t.Unreadable) + " TO " + role
		if t.Totals.Unreadable > len(t.Unreadable) {
			fix = "GRANT SELECT ON ALL TABLES IN SCHEMA " + list(t.Locked) + " TO " + role
		}
		findings = append(findings, check.Warn(check.Tables, check.TablesUnreadable,
			"role "+role+" may not read "+some(t.Unreadable, t.Totals.Unreadable)+": changes are replicated, but a backfill will fail", fix+s.onPrimary()))
	}
	return findings
}

// withoutIdentity returns a finding for each table, because each needs a statement
// of its own. The last one has the number of the tables that are not listed.
func withoutIdentity(s subject) []check.Entry {
	const maxFindings = 10
	t := s.Facts.Tables
	var findings []check.Entry
	for i, name := range t.NoIdentity[:min(len(t.NoIdentity), maxFindings)] {
		more := ""
		if rest := t.Totals.NoIdentity - maxFindings; i == maxFindings-1 && rest > 0 {
			more = "; the same is true of " + strconv.Itoa(rest) + " more tables"
		}
		table := quote.Qualified(name)
		findings = append(findings, check.Warn(check.Tables, check.ReplicaIdentityMissing,
			"table "+table+" has no replica identity: while it is published, its updates and deletes fail on the server"+more,
			"ALTER TABLE "+table+" REPLICA IDENTITY FULL"+s.onPrimary()))
	}
	return findings
}

// list returns names as an SQL list.
func list(names facts.Names) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote.Qualified(n)
	}
	return strings.Join(quoted, ", ")
}

// some returns the first of names, and how many more of total there are.
func some(names facts.Names, total int) string {
	const maxNames = 3
	if total <= maxNames || len(names) <= maxNames {
		return list(names)
	}
	return list(names[:maxNames]) + " and " + strconv.Itoa(total-maxNames) + " more"
}
