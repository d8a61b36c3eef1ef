package judge

import (
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// Missing returns what t lacks and its Creation would make.
func Missing(t database.Target, e facts.Evidence) database.Making {
	return database.Making{
		Publication: t.Creation.Publication != nil && e.Facts.Publication != nil && e.Facts.Publication.Found == nil,
		Slot:        t.Creation.Slot && e.Facts.Slot != nil && e.Facts.Slot.Found == nil,
	}
}

// Misnamed returns the tables and schemas of t's Creation that can't be published, by the
// path of the request's field.
func Misnamed(t database.Target, e facts.Evidence, primary *facts.Evidence) apierror.FieldErrors {
	s := newSubject(t, e, primary)
	c := s.newPublication()
	if c == nil {
		return nil
	}
	const path = "replication_slots[0].publication."
	faults := apierror.FieldErrors{}
	for _, m := range c.Misnamed {
		faults.Add(path+"tables["+strconv.Itoa(m.Index)+"]", misfit(m.Reason, "table"))
	}
	for _, m := range c.MisnamedSchemas {
		faults.Add(path+"schemas["+strconv.Itoa(m.Index)+"]", misfit(m.Reason, "schema"))
	}
	return faults
}

// misfit says why a table or a schema can't be published.
func misfit(m facts.Misfit, noun string) string {
	switch m {
	case facts.NotATable:
		return "is not a table: views, foreign tables and the like can't be published"
	case facts.System:
		return "is a " + noun + " of the server itself, which can't be published"
	case facts.Unlogged, facts.TempTable:
		return "is " + string(m) + ": such tables can't be published"
	case facts.OddChild:
		return "has a child table that is foreign, unlogged or temporary, which can't be published: make the publication with FOR TABLE ONLY"
	case facts.TooOld:
		if noun == "schema" {
			return "needs PostgreSQL 15 or later: name the tables"
		}
		return "is partitioned, and needs PostgreSQL 13 or later: name its partitions"
	default:
		return "does not exist in this database"
	}
}

// publisher returns the server on which the publication is, nil if that is a primary
// that is not known.
func (s *subject) publisher() *server {
	if s.inRecovery() {
		return s.primary
	}
	return &s.server
}

// newPublication returns what is known about making the publication, nil if nothing is.
func (s *subject) newPublication() *facts.Creation {
	if p := s.publisher(); p != nil {
		return p.Facts.Creation
	}
	return nil
}

// judgeNewPublication says whether the publication, which is missing, can be made as the
// request says.
func judgeNewPublication(s subject, name string) []check.Entry {
	p := s.publisher()
	switch {
	case p == nil || p.Facts.Server == nil:
		return []check.Entry{publicationMissingFinding(s, name)}
	case p.Facts.Creation == nil:
		return newPublicationUnknown(p, name)
	}
	c := *p.Facts.Creation
	findings := append(misnamedPublication(c, name), deniedPublication(s, c, name)...)
	if findings = append(findings, unsafePublication(s, c, name)...); len(findings) > 0 {
		return findings
	}
	return []check.Entry{wouldBeMade(check.Publication, "publication "+name, scopeOf(*s.creation.Publication)+s.providerDecides(c))}
}

// newPublicationUnknown is about a primary that has the publication already, and about a
// server that did not answer.
func newPublicationUnknown(p *server, name string) []check.Entry {
	if f, asked := p.Unanswered[facts.PartCreation]; asked {
		return []check.Entry{check.Fail(check.Publication, check.NotChecked,
			"publication "+name+" does not exist, and whether it can be made could not be looked at: "+unansweredBecause(f), "")}
	}
	if p.Lost != nil {
		return []check.Entry{check.Fail(check.Publication, check.NotChecked,
			"publication "+name+" does not exist, and whether it can be made could not be looked at: the session ended", "")}
	}
	return []check.Entry{{Name: check.Publication, Status: check.Passed, Message: "publication " + name + " exists on the primary, and has yet to reach the standby"}}
}

// wouldBeMade is the entry about an object that is missing and can be made.
func wouldBeMade(name, object, details string) check.Entry {
	return check.Entry{Name: name, Status: check.Passed, Message: object + " does not exist and would be made" + details}
}

// scopeOf says which tables a new publication has.
func scopeOf(p database.NewPublication) string {
	switch {
	case len(p.Tables) > 0:
		return ", for " + count(len(p.Tables), "table") + ": " + cut(tableNames(p))
	case len(p.Schemas) > 0:
		return ", for the tables of " + count(len(p.Schemas), "schema") + ": " + cut(schemaNames(p))
	}
	return ", for all tables"
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// cut returns the first names as an SQL list.
func cut(names []string) string {
	const limit = 20
	if len(names) > limit {
		return strings.Join(names[:limit], ", ") + more(len(names)-limit)
	}
	return strings.Join(names, ", ")
}

func tableNames(p database.NewPublication) []string {
	names := make([]string, len(p.Tables))
	for i, t := range p.Tables {
		names[i] = quote.Qualified([]string{t.Schema, t.Name})
	}
	return names
}

func schemaNames(p database.NewPublication) []string {
	names := make([]string, len(p.Schemas))
	for i, n := range p.Schemas {
		names[i] = quote.Identifier(n)
	}
	return names
}

func misnamedPublication(c facts.Creation, name string) []check.Entry {
	if len(c.Misnamed)+len(c.MisnamedSchemas) == 0 {
		return nil
	}
	return []check.Entry{check.Fail(check.Publication, check.PublicationNotFound,
		"publication "+name+" does not exist, and can't be made of what the request names: see validation_errors", "")}
}

// createPublication returns the statement that makes the publication on a server of this
// major version.
func createPublication(p database.NewPublication, name string, major int) string {
	sql := "CREATE PUBLICATION " + name
	switch {
	case len(p.Tables) > 0:
		sql += " FOR TABLE " + strings.Join(tableNames(p), ", ")
	case len(p.Schemas) > 0:
		sql += " FOR TABLES IN SCHEMA " + strings.Join(schemaNames(p), ", ")
	default:
		sql += " FOR ALL TABLES"
	}
	const viaRootMajor = 13
	if p.ViaRoot && major >= viaRootMajor {
		sql += " WITH (publish_via_partition_root = true)"
	}
	return sql
}

// deniedPublication says why the role may not make the publication, as far as that is
// known before it is tried. The fix would break the updates of tables that are unsafe.
func deniedPublication(s subject, c facts.Creation, name string) []check.Entry {
	p, publisher := *s.creation.Publication, s.publisher()
	wide := len(p.Tables) == 0
	role := quote.Identifier(publisher.Facts.Server.Role)
	statement := createPublication(p, name, publisher.Facts.Server.Major()) + s.onPrimary()
	deny := func(message, fix, who string) []check.Entry {
		if c.UnsafeTotal > 0 || len(c.Misnamed)+len(c.MisnamedSchemas) > 0 {
			fix, who = "", ""
		}
		return []check.Entry{check.Fail(check.Publication, check.PublicationCreateDenied, message+who, fix)}
	}
	switch {
	case c.Superuser:
		return nil
	case wide && publisher.provider() == selfHosted:
		return deny("publication "+name+" can't be made by role "+role+": one of all tables, or of schemas, needs a superuser"+instead(c, role), statement, asSuperuser)
	case c.ForeignTotal > 0:
		return deny("publication "+name+" can't be made by role "+role+", which does not own "+named(c.Foreign, c.ForeignTotal), statement, asSuperuser)
	case !c.May:
		database := quote.Identifier(publisher.Facts.Server.Database)
		return deny("publication "+name+" can't be made by role "+role+", which lacks CREATE on database "+database,
			"GRANT CREATE ON DATABASE "+database+" TO "+role+s.onPrimary(),
			"; run the fix as role "+quote.Identifier(c.DatabaseOwner)+", the owner of the database, or as a superuser")
	}
	return nil
}

// instead says which tables the role could name.
func instead(c facts.Creation, role string) string {
	if len(c.Misnamed)+len(c.MisnamedSchemas) > 0 {
		return "" // the tables that were looked at are not those that are meant
	}
	if len(c.Owned) == 0 {
		return ". Role " + role + " owns no table that it could name in their place"
	}
	return `. It could name tables that it owns, in "tables": ` + list(c.Owned)
}

// providerDecides says that a provider may let its administrators do what Postgres lets
// superusers do.
func (s *subject) providerDecides(c facts.Creation) string {
	if c.Superuser || len(s.creation.Publication.Tables) > 0 {
		return ""
	}
	return ", if the provider lets the role do that"
}

// unsafePublication reports the tables whose updates and deletes would fail once they are
// published. One fix mends all of them, if it can be told.
func unsafePublication(s subject, c facts.Creation, name string) []check.Entry {
	if c.UnsafeTotal == 0 {
		return nil
	}
	var objects []facts.Object
	var r remedy
	generated := false
	complete := c.UnsafeTotal == len(c.Unsafe)
	for _, t := range c.Unsafe {
		objects = append(objects, t.Object)
		var m remedy
		switch {
		case t.Kind == facts.IdentityMissing:
			m = mend(s, t)
		case t.Remedy != nil: // another key, because there is no publication to change yet
			m, generated = mendIdentity(s, t), true
		}
		complete = complete && len(m.statements) > 0
		r.statements, r.objects = append(r.statements, m.statements...), append(r.objects, m.objects...)
	}
	fix, who := r.fix(s.onPrimary())
	if !complete || fix == "" {
		fix, who = "give these tables "+wanted(generated)+", or name the tables to publish without them", ""
	}
	return []check.Entry{check.Fail(check.Publication, check.PublicationCreateUnsafe,
		"publication "+name+" would make updates and deletes fail on the server, because these tables have no replica identity that is published: "+
			named(objects, c.UnsafeTotal)+who, fix)}
}

// wanted returns what tables lack whose updates would fail. generated is true if the
// replica identity of one of them has generated columns.
func wanted(generated bool) string {
	if generated {
		return "replica identities without generated columns: unique indexes on columns that can't be null"
	}
	return "primary keys"
}

// named returns the names of objects, of which there are total.
func named(objects []facts.Object, total int) string {
	if total > len(objects) {
		return list(objects) + " and " + strconv.Itoa(total-len(objects)) + " more"
	}
	return list(objects)
}

// newSlot says whether the slot, which is missing, can be made.
func newSlot(s subject) []check.Entry {
	findings := noSlotAvailable(s)
	if s.slotsDenied() && s.Facts.Server != nil {
		role := quote.Identifier(s.Facts.Server.SessionRole)
		findings = append(findings, check.Fail(check.ReplicationSlot, check.SlotCreateDenied,
			slotName(s.slot)+" can't be made by role "+role+", which may not execute the function for that",
			grantExecute(s, s.Facts.NewSlot.Function, role)))
	}
	if !s.canCreateSlots() {
		findings = append(findings, slotMissing(s))
	}
	if len(findings) > 0 {
		return findings
	}
	return []check.Entry{wouldBeMade(check.ReplicationSlot, slotName(s.slot), wouldWait(s))}
}

// wouldWait names the transactions that the creation of the slot would wait for. That is
// no failure: they may end in time. Those of a standby's primary are not known here.
func wouldWait(s subject) string {
	if s.Facts.NewSlot == nil || s.Facts.NewSlot.Blockers == nil || s.inRecovery() {
		return ""
	}
	b := s.Facts.NewSlot.Blockers
	if b.Total == 0 {
		return ""
	}
	var holders []string
	for _, h := range b.Holders {
		holder, _ := describeBlocker(h)
		holders = append(holders, holder)
	}
	return ", but only when all transactions that have written and are open now have ended: " + strings.Join(holders, ", ") + more(b.Total-len(holders)) +
		". With one that stays open for 10 seconds, the create is refused with replication_slot_create_blocked"
}

// grantExecute returns the statement that lets the role make slots. The function is as the
// server writes it: it is SQL in a fix, so that nothing but names of types is taken over.
func grantExecute(s subject, function, role string) string {
	const name = "pg_create_logical_replication_slot("
	types, ok := strings.CutPrefix(function, name)
	types, closed := strings.CutSuffix(types, ")")
	if !ok || !closed || strings.Trim(types, "abcdefghijklmnopqrstuvwxyz, ") != "" {
		return ""
	}
	return annotate("GRANT EXECUTE ON FUNCTION pg_catalog."+name+types+") TO "+role, "as a superuser", primaryOnly(s))
}

// primaryOnly says where a statement is run that a standby can't run.
func primaryOnly(s subject) string {
	if s.inRecovery() {
		return "on the primary"
	}
	return ""
}
