package judge

import (
	"slices"
	"strconv"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// full is pg_class.relreplident of REPLICA IDENTITY FULL.
const full = "f"

// generatedMajor is the first major version that can publish generated columns, and
// rejects updates if the replica identity has one that is not published.
const generatedMajor = 18

// troubled returns a finding for each table whose updates and deletes fail, because
// each needs statements of its own. The last one of a kind has the number of tables
// that are not listed.
func troubled(s subject) []check.Entry {
	t := s.Facts.Tables
	listed, seen := map[facts.TroubleKind]int{}, map[facts.TroubleKind]int{}
	for _, trouble := range t.Troubles {
		listed[trouble.Kind]++
	}
	var findings []check.Entry
	for _, trouble := range t.Troubles {
		k := trouble.Kind
		code, message := describeTrouble(s, trouble)
		fix, who := mend(s, trouble).fix(s.onPrimary())
		if fix == "" {
			fix = adviseTrouble(trouble)
		}
		findings = append(findings, check.Warn(check.Tables, code, message+rest(seen[k], listed[k], t.Totals.Of(k))+who, fix).
			About(unlisted(seen[k], listed[k], t.Totals.Of(k)), quote.Qualified(trouble.Name)))
		seen[k]++
	}
	return findings
}

// describeTrouble returns the code and the message of t's finding.
func describeTrouble(s subject, t facts.Trouble) (check.Code, string) {
	const fail = ": while it is published so, its updates and deletes fail on the server"
	table, publication := quote.Qualified(t.Name), quote.Identifier(s.slot.PublicationName)
	var r facts.Remedy
	if t.Remedy != nil {
		r = *t.Remedy
	}
	switch t.Kind {
	case facts.IdentityMissing:
		return check.ReplicaIdentityMissing, "table " + table + " has no replica identity: while it is published, its updates and deletes fail on the server"
	case facts.FilterOutside:
		message := "the row filter of publication " + publication + " on table " + table + " refers to columns outside the table's replica identity"
		if outside := without(r.FilterColumns, r.IdentityColumns); len(outside) > 0 {
			message += " (" + join(outside) + ")"
		}
		return check.RowFilterOutsideIdentity, message + fail
	case facts.IdentityGenerated:
		if s.major() < generatedMajor {
			return check.ReplicaIdentityNotPublished, "the replica identity of table " + table + " has a generated column, which PostgreSQL sends from version " +
				strconv.Itoa(generatedMajor) + " on: updates and deletes come without it, and a consumer can't tell which row they are about"
		}
		return check.ReplicaIdentityNotPublished, "the replica identity of table " + table + " has a generated column, which publication " + publication + " does not send" + fail
	}
	if t.Identity == full {
		return check.ReplicaIdentityNotPublished, "table " + table + " has the whole row as its replica identity, and publication " + publication + " sends a list of its columns" + fail
	}
	message := "publication " + publication + " does not send the columns of table " + table + " that are its replica identity"
	if lacking := without(r.IdentityColumns, r.Columns); len(lacking) > 0 {
		message += " (" + join(lacking) + ")"
	}
	return check.ReplicaIdentityNotPublished, message + fail
}

// adviseTrouble returns the fix of a trouble that no statement mends without a loss.
func adviseTrouble(t facts.Trouble) string {
	table := quote.Qualified(t.Name)
	switch t.Kind {
	case facts.FilterOutside:
		return "change the row filter of table " + table + " to columns of its replica identity"
	case facts.IdentityUnpublished:
		return "publish table " + table + " with the columns of its replica identity"
	default:
		return "give table " + table + " a primary key whose columns are published"
	}
}

// mend returns the statements after which t's updates and deletes work, and a consumer
// receives them. It has none if they would take something away. REPLICA IDENTITY
// FULL comes last: it makes WAL larger, and updates fail under it if any publication
// has a column list of the table.
func mend(s subject, t facts.Trouble) remedy {
	if t.Remedy == nil {
		return remedy{}
	}
	own := *t.Remedy
	t.Remedy = &own
	switch t.Kind {
	case facts.IdentityUnpublished:
		return mendColumns(s, t)
	case facts.IdentityGenerated:
		if s.major() >= generatedMajor && !(t.Identity == full && t.Remedy.Virtual) {
			var r remedy
			r.add("ALTER PUBLICATION "+quote.Identifier(s.slot.PublicationName)+" SET (publish_generated_columns = stored)", s.publicationObject())
			return r
		}
	case facts.FilterOutside:
		if key := t.Remedy.Key; key == nil || len(without(t.Remedy.FilterColumns, key.Columns)) > 0 {
			t.Remedy.Key = nil
		}
	}
	return mendIdentity(s, t)
}

// mendIdentity makes a key the replica identity, or the whole row if there is none.
func mendIdentity(s subject, t facts.Trouble) remedy {
	key := t.Remedy.Key
	var r remedy
	switch {
	case key != nil:
		if lacking := without(key.Columns, t.Remedy.Columns); t.Remedy.Columns != nil && len(lacking) > 0 {
			r = relist(s, *t.Remedy, lacking)
		}
		r.add("ALTER TABLE "+quote.Qualified(t.Name)+" REPLICA IDENTITY "+identity(key), t.Object)
	case t.Remedy.Full && t.Identity != full:
		r.add("ALTER TABLE "+quote.Qualified(t.Name)+" REPLICA IDENTITY FULL", t.Object)
	}
	return r
}

// identity returns the replica identity that uses key.
func identity(key *facts.Key) string {
	if key.Primary {
		return "DEFAULT"
	}
	return "USING INDEX " + quote.Identifier(key.Name)
}

// mendColumns adds the columns of the replica identity to the column list. The whole
// row as the identity allows no list: then a key takes its place.
func mendColumns(s subject, t facts.Trouble) remedy {
	if t.Identity == full {
		t.Remedy.Full = false
		return mendIdentity(s, t)
	}
	return relist(s, *t.Remedy, without(t.Remedy.IdentityColumns, t.Remedy.Columns))
}

// relist publishes the sender again, with these columns in addition, and as before in
// all else: the column list of one table can't be changed in place.
func relist(s subject, m facts.Remedy, lacking []string) remedy {
	publication, table := quote.Identifier(s.slot.PublicationName), quote.Qualified(m.Sender.Name)
	columns := append(slices.Clone(m.Columns), lacking...)
	add := "ALTER PUBLICATION " + publication + " ADD TABLE ONLY " + table + " (" + identifiers(columns) + ")"
	if m.Filter != "" {
		add += " WHERE (" + m.Filter + ")"
	}
	var r remedy
	r.add("ALTER PUBLICATION "+publication+" DROP TABLE ONLY "+table, s.publicationObject())
	r.add(add, s.publicationObject(), m.Sender)
	return r
}

// without returns those of names that are not in others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(others, n) })
}
