package judge

import (
	"slices"
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
	"github.com/headgate/headgate/internal/strictjson"
)

func judgePublication(s subject) []check.Entry {
	name := quote.Identifier(s.slot.PublicationName)
	p, tables := s.Facts.FoundPublication(), s.Facts.Tables
	if p == nil && s.creation.Publication != nil {
		return judgeNewPublication(s, name)
	}
	if p == nil {
		return []check.Entry{publicationMissingFinding(s, name)}
	}
	var findings []check.Entry
	warn := func(code check.Code, message string, r remedy, advice string, objects ...string) {
		fix, who := r.fix(s.onPrimary())
		if fix == "" {
			fix = advice
		}
		findings = append(findings, check.Warn(check.Publication, code, "publication "+name+message+who, fix).About(0, objects...))
	}
	if tables != nil && tables.Count == 0 {
		message, r, advice := emptyPublication(s, name)
		warn(check.PublicationEmpty, message, r, advice)
	}
	if missing := missingOperations(p); len(missing) > 0 {
		warn(check.PublicationOperationsMissing, " leaves out "+strings.Join(missing, ", "), publishOperations(s, name, missing),
			"give the tables of the publication replica identities that it sends, and then run ALTER PUBLICATION "+name+" SET (publish = '"+strings.Join(operations(), ", ")+"')", missing...)
	}
	if p.ViaRoot != nil && !*p.ViaRoot && tables != nil && tables.Partitioned > 0 {
		var r remedy
		r.add("ALTER PUBLICATION "+name+" SET (publish_via_partition_root = true)", s.publicationObject())
		warn(check.PublicationNotViaRoot, " sends the changes of partitions under the partitions' names, not under that of their table", r, "")
	}
	return findings
}

// publicationMissingFinding names another publication that may be meant, or says how to
// make this one.
func publicationMissingFinding(s subject, name string) check.Entry {
	absent := "publication " + name + " does not exist in this database"
	if s.Facts.Publication.Unencodable {
		return check.Fail(check.Publication, check.PublicationNotFound, absent+", whose encoding lacks a character of the name",
			"send as publication_name the name of a publication that exists there")
	}
	if near := nearPublication(s); near != "" {
		return check.Fail(check.Publication, check.PublicationNotFound, absent+", but "+quote.Identifier(near)+" does",
			`send "publication_name": `+quote.JSON(near))
	}
	if s.Candidates == nil {
		return check.Fail(check.Publication, check.PublicationNotFound, absent,
			"make it with CREATE PUBLICATION "+name+" FOR TABLE …, for tables that have a primary key")
	}
	var r remedy
	statement, message := "CREATE PUBLICATION "+name, absent
	if tables := candidateObjects(*s.Candidates); len(tables) > 0 {
		r.add(statement+" FOR TABLE "+candidateList(*s.Candidates)+viaRoot(*s.Candidates), tables...)
		message += "; the fix lists tables whose updates and deletes go on working: leave out what the consumer does not need"
		message += more(s.Candidates.Total - len(tables))
	} else {
		r.add(statement)
		message += "; " + noCandidate(*s.Candidates)
	}
	fix, who := r.fix(s.onPrimary())
	if who != asSuperuser && fix != "" {
		who = creator(*s.Candidates, who)
	}
	if fix == "" {
		fix = "make it with " + statement + " FOR TABLE …"
	}
	return check.Fail(check.Publication, check.PublicationNotFound, message+who, fix)
}

// noCandidate says why no table can be published as it is.
func noCandidate(c facts.Candidates) string {
	const unlogged = "unlogged tables can't be published before ALTER TABLE … SET LOGGED"
	switch {
	case c.Troubled > 0 && c.Unlogged > 0:
		return noIdentity + ", and " + unlogged
	case c.Troubled > 0:
		return noIdentity
	case c.Unlogged > 0:
		return unlogged
	}
	return "there is no table here that can be published"
}

// noIdentity is about tables that have neither a primary key nor a replica identity
// besides, or a REPLICA IDENTITY that sets the key aside.
const noIdentity = "every table here lacks a replica identity (a primary key, unless its REPLICA IDENTITY says otherwise), so that publishing it would make its updates and deletes fail"

// creator says which role can make a publication of the candidates, if their owners, who
// are given by owner, are the only condition besides CREATE on the database.
func creator(c facts.Candidates, owner string) string {
	switch {
	case owner == "" && c.May:
		return ""
	case owner == "" && len(c.Tables) == 0:
		return "; run the fix as role " + quote.Identifier(c.DatabaseOwner) + ", the owner of the database, or as a superuser"
	case owner != "" && c.Tables[0].OwnerMay:
		return owner
	}
	return asSuperuser
}

// more says that n more tables could be published.
func more(n int) string {
	if n <= 0 {
		return ""
	}
	return " (" + strconv.Itoa(n) + " more are not listed)"
}

func candidateObjects(c facts.Candidates) []facts.Object {
	var objects []facts.Object
	for _, t := range c.Tables {
		objects = append(objects, t.Object)
	}
	return objects
}

// candidateList returns the candidates as a publication lists them. Without ONLY, a table
// takes along those that inherit from it, of which some may have no key.
func candidateList(c facts.Candidates) string {
	var listed []string
	for _, t := range c.Tables {
		only := ""
		if t.Inherited {
			only = "ONLY "
		}
		listed = append(listed, only+quote.Qualified(t.Name))
	}
	return strings.Join(listed, ", ")
}

// viaRoot returns the option with which the changes of partitions come under the names
// of their tables.
func viaRoot(c facts.Candidates) string {
	if slices.ContainsFunc(c.Tables, func(t facts.Candidate) bool { return t.Partitioned }) {
		return " WITH (publish_via_partition_root = true)"
	}
	return ""
}

// nearPublication returns the publication whose name differs from the one that was sent
// in letter case, or by little. It returns the empty string if there is none.
func nearPublication(s subject) string {
	const minLength = 4 // shorter names are near to too many
	name := s.slot.PublicationName
	if s.Facts.Publication == nil {
		return ""
	}
	near := s.Facts.Publication.Near
	for _, n := range near {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	if len(name) < minLength {
		return ""
	}
	return strictjson.Nearest(name, near)
}

// emptyPublication says what an empty publication means, and how to fill it: by a
// statement, or else as advice says.
func emptyPublication(s subject, name string) (message string, r remedy, advice string) {
	const sent = ": no changes would be sent"
	message, advice = " has no tables"+sent, "add a table that has a replica identity with ALTER PUBLICATION "+name+" ADD TABLE …"
	c := s.Candidates
	switch {
	case s.Facts.Tables.Partitioned > 0:
		return " has only partitioned tables, without a partition that can be published" + sent, r, "create partitions with CREATE TABLE … PARTITION OF …"
	case s.Facts.FoundPublication().AllTables:
		return message + " before there is a table that is not unlogged", r, "create the tables, or make them logged with ALTER TABLE … SET LOGGED"
	case c == nil:
		return message, r, advice
	case len(c.Tables) == 0:
		message += "; " + noCandidate(*c)
	case c.Unlogged > 0:
		message += "; unlogged tables can't be published"
	}
	if tables := candidateObjects(*c); len(tables) > 0 {
		r.add("ALTER PUBLICATION "+name+" ADD TABLE "+candidateList(*c), append(tables, s.publicationObject())...)
		message += "; the fix lists tables whose updates and deletes go on working: leave out what the consumer does not need" + more(c.Total-len(tables))
	}
	return message, r, advice
}

// publishOperations publishes the operations that are missing. Tables whose updates and
// deletes would then fail are mended first; if they are too many, there is no
// statement.
func publishOperations(s subject, name string, missing []string) remedy {
	var r remedy
	if slices.Contains(missing, "update") || slices.Contains(missing, "delete") {
		t := s.Facts.Tables
		if t == nil || t.Totals.Troubled() > len(t.Troubles) {
			return r
		}
		for _, trouble := range t.Troubles {
			m := mend(s, trouble)
			// Updates work as yet, and other consumers may count on whole rows.
			narrowed := trouble.Identity == full && trouble.Kind == facts.IdentityUnpublished
			if len(m.statements) == 0 || narrowed {
				return remedy{}
			}
			r.statements, r.objects = append(r.statements, m.statements...), append(r.objects, m.objects...)
		}
	}
	r.add("ALTER PUBLICATION "+name+" SET (publish = '"+strings.Join(operations(), ", ")+"')", s.publicationObject())
	return r
}

// operations returns the operations that a publication can send.
func operations() []string { return []string{"insert", "update", "delete", "truncate"} }

// missingOperations returns the operations that p does not publish.
func missingOperations(p *facts.Publication) []string {
	published := map[string]bool{"insert": p.Insert, "update": p.Update, "delete": p.Delete, "truncate": p.Truncate}
	return slices.DeleteFunc(operations(), func(name string) bool { return published[name] })
}
