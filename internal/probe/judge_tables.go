package probe

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/check"
)

func judgeTables(e evidence) verdict {
	if e.facts.Tables == nil || e.facts.Publication == nil || e.facts.Publication.Found == nil {
		return skipped()
	}
	t := e.facts.Tables
	onPrimary, role := "", "CURRENT_USER"
	if s := e.facts.Server; s != nil {
		role = quoteIdentifier(s.Role)
		if s.InRecovery {
			onPrimary = " -- on the primary"
		}
	}
	findings := unreadable(t, role, onPrimary)
	if p := e.facts.Publication.Found; p.Update || p.Delete {
		findings = append(findings, withoutIdentity(t, onPrimary)...)
	}
	return found(findings...)
}

func unreadable(t *tables, role, onPrimary string) []*check.Entry {
	var findings []*check.Entry
	if len(t.Closed) > 0 {
		findings = append(findings, warned(check.Tables, check.TablesUnreadable,
			"role "+role+" may not use schema "+t.Closed.list()+": its tables can't be read for a backfill",
			"GRANT USAGE ON SCHEMA "+t.Closed.list()+" TO "+role+onPrimary))
	}
	if len(t.Unreadable) > 0 {
		fix := "GRANT SELECT ON TABLE " + t.Unreadable.list() + " TO " + role
		if t.Totals.Unreadable > len(t.Unreadable) {
			fix = "GRANT SELECT ON ALL TABLES IN SCHEMA " + t.Locked.list() + " TO " + role
		}
		findings = append(findings, warned(check.Tables, check.TablesUnreadable,
			"role "+role+" may not read "+t.Unreadable.some(t.Totals.Unreadable)+": changes come, a backfill can't", fix+onPrimary))
	}
	return findings
}

// withoutIdentity is one finding for each table, since each needs a statement
// of its own; the last says how many more there are.
func withoutIdentity(t *tables, onPrimary string) []*check.Entry {
	const most = 10
	var findings []*check.Entry
	for i, name := range t.NoIdentity {
		if i == most {
			break
		}
		more := ""
		if rest := t.Totals.NoIdentity - most; i == most-1 && rest > 0 {
			more = "; " + strconv.Itoa(rest) + " more tables are like it"
		}
		table := quoteParts(name)
		findings = append(findings, warned(check.Tables, check.ReplicaIdentityMissing,
			"table "+table+" has no replica identity: while it is published, its updates and deletes fail on the server"+more,
			"ALTER TABLE "+table+" REPLICA IDENTITY FULL"+onPrimary))
	}
	return findings
}

func quoteParts(name []string) string {
	quoted := make([]string, len(name))
	for i, p := range name {
		quoted[i] = quoteIdentifier(p)
	}
	return strings.Join(quoted, ".")
}

// list is the names as SQL lists them.
func (l nameList) list() string {
	quoted := make([]string, len(l))
	for i, n := range l {
		quoted[i] = quoteParts(n)
	}
	return strings.Join(quoted, ", ")
}

// some names a few of the total.
func (l nameList) some(total int) string {
	const most = 3
	if total <= most || len(l) <= most {
		return l.list()
	}
	return l[:most].list() + " and " + strconv.Itoa(total-most) + " more"
}

// jsonString is s as JSON has it.
func jsonString(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return strconv.Quote(s)
	}
	return string(b)
}
