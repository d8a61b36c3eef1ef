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
	switch {
	case t.Kind == facts.FilterOutside:
		return "change the row filter of table " + table + " to columns of its replica identity"
	case t.Kind == facts.IdentityUnpublished && (t.Remedy == nil || !t.Remedy.Unlistable):
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
	switch {
	case keeps(t):
		return relist(s, *t.Remedy)
	case t.Kind == facts.IdentityGenerated && s.major() >= generatedMajor && !(t.Identity == full && t.Remedy.Virtual):
		var r remedy
		r.add("ALTER PUBLICATION "+quote.Identifier(s.slot.PublicationName)+" SET (publish_generated_columns = stored)", s.publicationObject())
		return r
	}
	return mendIdentity(s, t)
}

// key returns the key that can be the replica identity of a table in trouble: for a row
// filter one with its columns.
func key(t facts.Trouble) *facts.Key {
	k := t.Remedy.Key
	if k != nil && t.Kind == facts.FilterOutside && len(without(t.Remedy.FilterColumns, k.Columns)) > 0 {
		return nil
	}
	return k
}

// keeps reports whether mending t adds the columns of its replica identity to the column
// list. The whole row as the identity allows no list, and generated columns are allowed in
// none before 18: then a key takes its place.
func keeps(t facts.Trouble) bool {
	return t.Kind == facts.IdentityUnpublished && t.Identity != full && !t.Remedy.Unlistable
}

// mendIdentity makes a key the replica identity, or the whole row if there is none.
func mendIdentity(s subject, t facts.Trouble) remedy {
	var r remedy
	switch k := key(t); {
	case k != nil:
		if t.Remedy.Columns != nil && len(without(k.Columns, t.Remedy.Columns)) > 0 {
			r = relist(s, *t.Remedy)
		}
		r.add("ALTER TABLE "+quote.Qualified(t.Name)+" REPLICA IDENTITY "+identity(k), t.Object)
	case t.Remedy.Full && t.Identity != full && t.Kind != facts.IdentityUnpublished: // it allows no list
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

// relist publishes the sender again with the columns that it needs, and as before in all
// else: the column list of one table can't be changed in place.
func relist(s subject, m facts.Remedy) remedy {
	publication, table := quote.Identifier(s.slot.PublicationName), quote.Qualified(m.Sender.Name)
	columns := willBeSent(s.Facts.Tables, m.Sender, m.Columns)
	add := "ALTER PUBLICATION " + publication + " ADD TABLE ONLY " + table + " (" + identifiers(columns) + ")"
	if m.Filter != "" {
		add += " WHERE (" + m.Filter + ")"
	}
	var r remedy
	r.add("ALTER PUBLICATION "+publication+" DROP TABLE ONLY "+table, s.publicationObject())
	r.add(add, s.publicationObject(), m.Sender)
	return r
}

// willBeSent returns the column list of sender, with the replica identities that it gets or
// has once every table is mended that is sent under that name. The fix for each of them
// has what all of them need, and a grant too: otherwise one would undo the other.
func willBeSent(t *facts.Tables, sender facts.Object, columns []string) []string {
	if t == nil {
		return columns
	}
	all := slices.Clone(columns)
	for _, trouble := range t.Troubles {
		if trouble.Remedy != nil && slices.Equal(trouble.Remedy.Sender.Name, sender.Name) {
			all = append(all, without(nextIdentity(trouble), all)...)
		}
	}
	return all
}

// nextIdentity returns the columns of t's replica identity once it is mended, as far as
// there is a statement for it.
func nextIdentity(t facts.Trouble) []string {
	if keeps(t) {
		return t.Remedy.IdentityColumns
	}
	if k := key(t); k != nil {
		return k.Columns
	}
	return nil
}

// without returns those of names that are not in others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(others, n) })
}
