package verdicts_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/database"
)

// phase is when a step is done.
type phase int

const (
	settingsPhase phase = iota
	rolePhase
	databasePhase
	tablePhase
	publicationPhase
	slotPhase
	pendingPhase
	latePublicationPhase
	grantPhase
	heldPhase // what sessions hold open, and settings that are in the way of the other steps
)

// step is one statement that makes a part of the scene. In its SQL, {role},
// {owner} and {db} are quoted names, {slot} and {password} literals, and {pub} the
// quoted name of the publication.
type step struct {
	phase phase
	// at is the database, the scene's own where it is empty.
	at string
	// owner is whether the tables' owner does it; otherwise the superuser.
	owner bool
	// slotServer is whether it is done where the slot is, which may be a standby.
	slotServer bool
	sql        string
	do         func(context.Context, *world) error
}

// needs are what a server must have been started with.
type needs struct {
	settings  map[string]string
	arguments []string
	standby   map[string]string // its settings; nil for no standby
}

// key is equal for needs that one server satisfies.
func (n needs) key() string {
	var b strings.Builder
	for _, m := range []map[string]string{n.settings, n.standby} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			b.WriteString(k + "=" + m[k] + " ")
		}
		if m != nil {
			b.WriteString("; ")
		}
	}
	return b.String() + strings.Join(n.arguments, " ")
}

// plan is how a scene is made.
type plan struct {
	major       int
	needs       needs
	hba         []string
	certificate certificateKind
	// created and sent are the role's password as it is set and as it is sent.
	created, sent string
	roleOptions   string
	// odd is a part of the role's and the database's names.
	odd             string
	databaseOptions string
	// unreadable is whether there is a published table that the role may not read and
	// that the consumer here can't name.
	unreadable bool
	tables     []table
	// publication makes the publication; nil for none.
	publication func(*plan) string
	late        bool // the publication is made after the slot
	with        []string
	slot        string // the SQL that makes the slot, empty for none
	pending     bool
	steps       []step
	endpoint    []func(*world, *database.Target)
}

const standardLine = "host all all 127.0.0.1/32 scram-sha-256"

func newPlan(major int) *plan {
	return &plan{
		major: major, certificate: ecdsaCertificate, hba: []string{standardLine},
		created: "letters-and-digits-1", sent: "letters-and-digits-1", roleOptions: "LOGIN REPLICATION",
		publication: forTables, slot: createSlot("pgoutput"),
	}
}

func createSlot(plugin string) string {
	return "SELECT pg_create_logical_replication_slot({slot}, '" + plugin + "')"
}

func (p *plan) add(steps ...step) { p.steps = append(p.steps, steps...) }

// admin adds a statement of the superuser in the database postgres.
func (p *plan) admin(at phase, sql string) { p.add(step{phase: at, at: "postgres", sql: sql}) }

// setting adds a setting that takes effect by a reload.
func (p *plan) setting(at phase, name, value string) {
	p.admin(at, "ALTER SYSTEM SET "+name+" = "+literal(value))
	p.add(step{phase: at, do: func(ctx context.Context, w *world) error { return w.lease.reload(ctx) }})
}

func forTables(p *plan) string {
	var listed []string
	for _, t := range p.tables {
		if name := t.listed(); name != "" {
			listed = append(listed, name)
		}
	}
	if len(listed) == 0 {
		return "CREATE PUBLICATION {pub}"
	}
	return "CREATE PUBLICATION {pub} FOR TABLE " + strings.Join(listed, ", ")
}

// all are the plan's steps in order.
func (p *plan) all() []step {
	own := p.base()
	for _, t := range p.tables {
		for _, sql := range t.creation() {
			own = append(own, step{phase: tablePhase, owner: true, sql: t.sql(sql)})
		}
		grants := t.grant
		if grants == nil {
			grants = []string{"GRANT SELECT ON {t} TO {role}"}
		}
		for _, sql := range grants {
			own = append(own, step{phase: tablePhase, owner: true, sql: t.sql(sql)})
		}
	}
	if p.publication != nil {
		at := publicationPhase
		if p.late {
			at = latePublicationPhase
		}
		sql := p.publication(p)
		if len(p.with) > 0 {
			sql += " WITH (" + strings.Join(p.with, ", ") + ")"
		}
		own = append(own, step{phase: at, sql: sql})
	}
	if p.slot != "" {
		own = append(own, step{phase: slotPhase, sql: p.slot, slotServer: true})
	}
	own = append(own, p.steps...)
	slices.SortStableFunc(own, func(a, b step) int { return cmp.Compare(a.phase, b.phase) })
	return own
}

// base makes what every scene has: the roles, the database, and another slot and
// publication that no fix may touch.
func (p *plan) base() []step {
	admin := func(sql string) step { return step{phase: rolePhase, at: "postgres", sql: sql} }
	steps := []step{
		admin("CREATE ROLE {owner} LOGIN PASSWORD 'owner'"),
		admin("CREATE ROLE {role} " + p.roleOptions + " PASSWORD {password}"),
		{phase: databasePhase, at: "postgres", sql: "CREATE DATABASE {db} OWNER {owner}" + p.databaseOptions},
		// From 15 only the database's owner may make tables in public.
		{phase: databasePhase, sql: "GRANT CREATE ON SCHEMA public TO {owner}"},
		{phase: tablePhase, owner: true, sql: "CREATE TABLE other_table (id bigint PRIMARY KEY, v text)"},
		{phase: tablePhase, owner: true, sql: "GRANT SELECT ON other_table TO {role}"},
		{phase: tablePhase, owner: true, sql: "CREATE TABLE closed_table (id bigint PRIMARY KEY)"},
		{phase: tablePhase, sql: "CREATE PUBLICATION other_publication FOR TABLE other_table WITH (publish = 'insert')"},
	}
	if p.needs.settings["wal_level"] == "" && p.needs.arguments == nil {
		steps = append(steps, step{phase: publicationPhase, sql: "SELECT pg_create_logical_replication_slot('other_{id}', 'pgoutput')"})
	}
	return steps
}

// tags are those of the plan's tables.
func (p *plan) tags() []string {
	var tags []string
	for _, t := range p.tables {
		tags = append(tags, t.tag)
	}
	return tags
}
