package judge

import (
	"slices"
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

func tablesMatter(s subject) bool {
	return session(s) && (s.Facts.Publication == nil || s.Facts.FoundPublication() != nil)
}

func judgeTables(s subject) []check.Entry {
	if s.Facts.Tables.Count == 0 {
		return nil
	}
	findings := append(append(sessionless(s), closed(s)...), unreadable(s)...)
	findings = append(findings, secured(s)...)
	if p := s.Facts.FoundPublication(); p.Update || p.Delete {
		findings = append(findings, troubled(s)...)
	}
	return findings
}

// sessionless reports the limits that leave the role a walsender, and no ordinary session
// for a backfill.
func sessionless(s subject) []check.Entry {
	const meaning = ": changes are replicated, but a backfill in such a session will fail"
	var findings []check.Entry
	warn := func(limit *int, whose, fix string) {
		if limit != nil && *limit == 0 {
			findings = append(findings, check.Warn(check.Tables, check.TablesUnreadable, "role "+s.sessionRole()+
				" may open no ordinary session, because the connection limit of "+whose+" is 0"+meaning+asSuperuser, fix).About(0, "limit of "+whose))
		}
	}
	server := s.Facts.Server
	if server == nil || server.Superuser {
		return nil
	}
	const limit = " CONNECTION LIMIT 10"
	warn(server.RoleLimit, "the role", "ALTER ROLE "+s.sessionRole()+limit+s.onPrimary())
	warn(server.DatabaseLimit, "the database", "ALTER DATABASE "+quote.Identifier(server.Database)+limit+s.onPrimary())
	return findings
}

// sessionRole returns the role that logs in, as an SQL identifier.
func (s *subject) sessionRole() string { return quote.Identifier(s.Facts.Server.SessionRole) }

// closed reports the schemas that the role may not use.
func closed(s subject) []check.Entry {
	schemas := s.Facts.Tables.Closed
	if len(schemas) == 0 {
		return nil
	}
	var r remedy
	r.add("GRANT USAGE ON SCHEMA "+list(schemas)+" TO "+s.role(), schemas...)
	fix, who := r.fix(s.onPrimary())
	message := "role " + s.role() + " may not use schema " + list(schemas) + ": a backfill of its tables will fail"
	if len(schemas) > 1 {
		message = "role " + s.role() + " may not use schemas " + list(schemas) + ": a backfill of their tables will fail"
	}
	return []check.Entry{check.Warn(check.Tables, check.TablesUnreadable, message+who, fix).
		About(0, qualified(schemas)...)}
}

// unreadable reports the tables of which the role may not read what is published.
func unreadable(s subject) []check.Entry {
	t := s.Facts.Tables
	if len(t.Unreadable) == 0 {
		return nil
	}
	var all []facts.Object
	for _, u := range t.Unreadable {
		all = append(all, u.Object)
	}
	r := grants(s)
	fix, who := r.fix(s.onPrimary())
	if who != "" && t.Totals.Owners > 1 {
		who = asSuperuser
	}
	return []check.Entry{check.Warn(check.Tables, check.TablesUnreadable,
		"role "+s.role()+" may not read "+some(all, t.Totals.Unreadable)+": changes are replicated, but a backfill will fail"+who, fix).
		About(t.Totals.Unreadable-len(all), qualified(all)...)}
}

// grants opens to the role what the publication sends, and no more. If there are more
// tables than are listed, a block looks them up, unless some of them have column lists:
// then the next check lists the next ones.
func grants(s subject) remedy {
	t := s.Facts.Tables
	var r remedy
	if t.Totals.Unreadable > len(t.Unreadable) && t.Totals.ColumnLists == 0 {
		var objects []facts.Object
		for _, u := range t.Unreadable {
			objects = append(objects, u.Object)
		}
		grant := "GRANT SELECT ON TABLE %I.%I TO %I"
		r.add("DO "+quote.Literal("DECLARE t record; BEGIN FOR t IN SELECT schemaname, tablename FROM pg_catalog.pg_publication_tables WHERE pubname = "+
			quote.Literal(s.slot.PublicationName)+" LOOP EXECUTE pg_catalog.format("+quote.Literal(grant)+", t.schemaname, t.tablename, "+
			quote.Literal(s.roleName())+"); END LOOP; END"), objects...)
		return r
	}
	var whole []facts.Object
	for _, u := range t.Unreadable {
		if u.Columns == nil {
			whole = append(whole, u.Object)
		}
	}
	if len(whole) > 0 {
		r.add("GRANT SELECT ON TABLE "+list(whole)+" TO "+s.role(), whole...)
	}
	for _, u := range t.Unreadable {
		if len(u.Columns) > 0 {
			r.add("GRANT SELECT ("+identifiers(willBeSent(t, u.Object, u.Columns))+") ON TABLE "+quote.Qualified(u.Name)+" TO "+s.role(), u.Object)
		}
	}
	return r
}

// secured returns a finding for each table whose policies hide rows from the role.
func secured(s subject) []check.Entry {
	t := s.Facts.Tables
	var findings []check.Entry
	for i, table := range t.Secured {
		name := quote.Qualified(table.Name)
		message := "row-level security of table " + name + " applies to role " + s.role() +
			": a backfill reads only the rows that its policies show, and none without a policy. Changes are replicated in full"
		r, who := remedy{}, ""
		if t.RowSecurity == "off" || table.Restricted {
			r.add("ALTER ROLE " + s.role() + " BYPASSRLS")
			who = asSuperuser
		} else {
			r.add("CREATE POLICY "+quote.Identifier(policyName(s.roleName(), table.Policies))+" ON "+name+" FOR SELECT TO "+s.role()+" USING (true)", table.Object)
		}
		if t.RowSecurity == "off" {
			message = "row-level security of table " + name + " applies to role " + s.role() +
				", and row_security is off for the role: a backfill fails. Changes are replicated in full"
		}
		fix, owner := r.fix(s.onPrimary())
		findings = append(findings, check.Warn(check.Tables, check.RowSecurityActive,
			message+rest(i, len(t.Secured), t.Totals.Secured)+who+owner, fix).
			About(unlisted(i, len(t.Secured), t.Totals.Secured), name))
	}
	return findings
}

// policyName returns a name for a policy that shows role every row, cut to the length of
// names. It differs from all that are taken.
func policyName(role string, taken []string) string {
	const maxRole = 47
	for len(role) > maxRole {
		runes := []rune(role)
		role = string(runes[:len(runes)-1])
	}
	name := facts.PolicyPrefix + role
	for i := 2; slices.Contains(taken, name); i++ {
		name = facts.PolicyPrefix + role + " " + strconv.Itoa(i)
	}
	return name
}

// roleName returns the name of the role whose privileges count.
func (s *subject) roleName() string {
	if s.Facts.Server != nil {
		return s.Facts.Server.Role
	}
	return s.endpoint.Username
}

// unlisted returns how many tables of total are not listed, in the last finding of a
// list, and 0 in the others.
func unlisted(i, listed, total int) int {
	if i != listed-1 {
		return 0
	}
	return max(0, total-listed)
}

// rest says how many tables of total are not listed, in the last finding of a list.
func rest(i, listed, total int) string {
	n := unlisted(i, listed, total)
	if n == 0 {
		return ""
	}
	return "; the same is true of " + strconv.Itoa(n) + " more tables"
}

// some returns the first of the names of objects, and how many more of total there are.
func some(objects []facts.Object, total int) string {
	const maxNames = 3
	if total <= maxNames || len(objects) <= maxNames {
		return list(objects)
	}
	return list(objects[:maxNames]) + " and " + strconv.Itoa(total-maxNames) + " more"
}

// join returns names as a message lists them.
func join(names []string) string {
	const maxNames = 5
	quoted := identifiers(names[:min(len(names), maxNames)])
	if len(names) > maxNames {
		quoted += " and " + strconv.Itoa(len(names)-maxNames) + " more"
	}
	return strings.TrimSpace(quoted)
}
