package verdicts_test

import (
	"fmt"
	"slices"
	"strings"
)

// tableKind is one kind of table. In its SQL, {t} is the table's qualified name,
// {b} a bare name for whatever hangs on it, {n} a number of nine digits that no
// other row has, and {role} and {owner} the scene's roles.
type tableKind struct {
	name  string
	since int
	// create makes the table, as the owner; columns is a short form of it.
	columns string
	create  []string
	// schema and odd are parts of the name.
	schema, odd string
	// publish is the table as a publication lists it, {t} where it is empty, and
	// nothing where it is "-".
	publish string
	// grant gives the consumer's role what it needs; nil for SELECT.
	grant []string
	// insert, update and remove are the application's statements.
	insert, update, remove string
	// pending is an insert whose change waits in the slot, insert where it is empty.
	pending string
	// leaves are the names under which changes come without the root, with {b}.
	leaves []string
}

const plainColumns = "id bigint PRIMARY KEY, v text, w text"

func tableKinds() []tableKind {
	return slices.Concat(keyedKinds(), publishedKinds(), grantedKinds(), partitionedKinds(), namedKinds())
}

// keyedKinds are tables by their keys and replica identities.
func keyedKinds() []tableKind {
	return []tableKind{
		{name: "primary key", columns: plainColumns},
		{name: "no key", columns: "id bigint, v text, w text"},
		{name: "no key, identity full", columns: "id bigint, v text, w text", create: []string{"ALTER TABLE {t} REPLICA IDENTITY FULL"}},
		{name: "key, identity nothing", columns: plainColumns, create: []string{"ALTER TABLE {t} REPLICA IDENTITY NOTHING"}},
		{name: "key, identity full", columns: plainColumns, create: []string{"ALTER TABLE {t} REPLICA IDENTITY FULL"}},
		{name: "identity by index", columns: "id bigint NOT NULL, v text, w text", create: []string{
			"CREATE UNIQUE INDEX {b}_index ON {t} (id)", "ALTER TABLE {t} REPLICA IDENTITY USING INDEX {b}_index",
		}},
		{name: "identity's index dropped", columns: "id bigint NOT NULL, v text, w text", create: []string{
			"CREATE UNIQUE INDEX {b}_index ON {t} (id)", "ALTER TABLE {t} REPLICA IDENTITY USING INDEX {b}_index", "DROP INDEX {b}_index",
		}},
		{name: "unique index only", columns: "id bigint NOT NULL UNIQUE, v text, w text"},
		{name: "deferrable key", columns: "id bigint PRIMARY KEY DEFERRABLE, v text, w text"},
		{name: "text key", columns: "id text PRIMARY KEY, v text, w text"},
		{
			name: "uuid key", columns: "id uuid PRIMARY KEY, v text, w text",
			insert: "INSERT INTO {t} VALUES ('00000000-0000-0000-0000-000{n}', 'v{n}', 'w')",
			update: "UPDATE {t} SET v = 'u{n}' WHERE v = 'v{n}'", remove: "DELETE FROM {t} WHERE v = 'u{n}'",
		},
		{name: "composite key", columns: "a int DEFAULT 1, id bigint, v text, w text, PRIMARY KEY (a, id)"},
		{name: "identity column", columns: "s bigint GENERATED ALWAYS AS IDENTITY, id bigint PRIMARY KEY, v text, w text"},
		{name: "generated column", columns: "id bigint PRIMARY KEY, v text, w text, g text GENERATED ALWAYS AS (v || 'g') STORED"},
		{name: "virtual column", since: 18, columns: "id bigint PRIMARY KEY, v text, w text, g text GENERATED ALWAYS AS (v || 'g') VIRTUAL"},
		{name: "generated key", columns: "id bigint, v text, w text, g bigint GENERATED ALWAYS AS (id + 1) STORED PRIMARY KEY"},
		{name: "generated column, identity full", columns: "id bigint PRIMARY KEY, v text, w text, g text GENERATED ALWAYS AS (v || 'g') STORED", create: []string{
			"ALTER TABLE {t} REPLICA IDENTITY FULL",
		}},
	}
}

// publishedKinds are tables by what of them is published.
func publishedKinds() []tableKind {
	return []tableKind{
		{name: "column list with the key", since: 15, columns: plainColumns, publish: "{t} (id, v)"},
		{name: "column list without the key", since: 15, columns: plainColumns, publish: "{t} (v, w)"},
		{name: "column list, identity full", since: 15, columns: plainColumns, publish: "{t} (id, v)", create: []string{"ALTER TABLE {t} REPLICA IDENTITY FULL"}},
		{name: "row filter on the key", since: 15, columns: plainColumns, publish: "{t} WHERE (id > 5)"},
		{name: "row filter off the key", since: 15, columns: plainColumns, publish: "{t} WHERE (v <> 'none')"},
		{name: "row filter off the key, identity full", since: 15, columns: plainColumns, publish: "{t} WHERE (v <> 'none')", create: []string{
			"ALTER TABLE {t} REPLICA IDENTITY FULL",
		}},
		{
			name: "row filter that fails", since: 15, columns: plainColumns, publish: "{t} WHERE (10000000000 / id > 1)",
			pending: "INSERT INTO {t} (id, v) VALUES (0, 'v{n}')",
		},
		{name: "unlogged", columns: plainColumns, create: []string{"ALTER TABLE {t} SET UNLOGGED"}, publish: "-"},
		{name: "unlogged without a key", columns: "id bigint, v text, w text", create: []string{"ALTER TABLE {t} SET UNLOGGED"}, publish: "-"},
		{name: "dropped column", columns: "id bigint PRIMARY KEY, x int, v text, w text", create: []string{"ALTER TABLE {t} DROP COLUMN x"}},
		{name: "child in another table", columns: plainColumns, create: []string{
			"CREATE TABLE {b}_child (PRIMARY KEY (id)) INHERITS ({t})", "GRANT SELECT ON {b}_child TO {role}",
		}},
		{name: "child without a key", columns: plainColumns, create: []string{
			"CREATE TABLE {b}_child () INHERITS ({t})", "GRANT SELECT ON {b}_child TO {role}",
		}, insert: "INSERT INTO {b}_child (id, v) VALUES ({n}, 'v{n}')", leaves: []string{"{b}_child"}},
	}
}

// grantedKinds are tables by who may read them.
func grantedKinds() []tableKind {
	secured := []string{"ALTER TABLE {t} ENABLE ROW LEVEL SECURITY"}
	return []tableKind{
		{name: "no grant", columns: plainColumns, grant: []string{}},
		{name: "grant to public", columns: plainColumns, grant: []string{"GRANT SELECT ON {t} TO PUBLIC"}},
		{name: "grant of some columns", columns: plainColumns, grant: []string{"GRANT SELECT (id, v) ON {t} TO {role}"}},
		{name: "grant of all columns", columns: plainColumns, grant: []string{"GRANT SELECT (id, v, w) ON {t} TO {role}"}},
		{name: "grant of the listed columns", since: 15, columns: plainColumns, publish: "{t} (id, v)", grant: []string{"GRANT SELECT (id, v) ON {t} TO {role}"}},
		{name: "row security", columns: plainColumns, create: secured},
		{name: "row security, all visible", columns: plainColumns, create: append(secured, "CREATE POLICY p ON {t} TO {role} USING (true)")},
		{name: "row security, some visible", columns: plainColumns, create: append(secured, "CREATE POLICY p ON {t} TO {role} USING (id < 5)")},
		{name: "row security, for others", columns: plainColumns, create: append(secured, "CREATE POLICY p ON {t} TO {owner} USING (true)")},
		{name: "many, no grant", columns: plainColumns, create: many(), publish: manyNames(), grant: []string{}},
		{name: "closed schema", schema: "closed", columns: plainColumns},
	}
}

const manyTables = 25

// many makes more tables than a report lists.
func many() []string {
	var all []string
	for i := range manyTables {
		all = append(all, fmt.Sprintf("CREATE TABLE {b}_%d (id bigint PRIMARY KEY)", i))
	}
	return all
}

func manyNames() string {
	names := "{t}"
	for i := range manyTables {
		names += fmt.Sprintf(", {b}_%d", i)
	}
	return names
}

// partitionedKinds are partitioned tables and parts of them.
func partitionedKinds() []tableKind {
	root := func(more ...string) []string {
		return append([]string{
			"CREATE TABLE {t} (id bigint, v text, w text, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
			"CREATE TABLE {b}_low PARTITION OF {t} FOR VALUES FROM (0) TO (1000)",
			"CREATE TABLE {b}_high PARTITION OF {t} DEFAULT",
		}, more...)
	}
	leaves := []string{"{b}_low", "{b}_high"}
	return []tableKind{
		{name: "partitioned", create: root(), leaves: leaves},
		{name: "partitioned, a leaf's identity nothing", create: root("ALTER TABLE {b}_high REPLICA IDENTITY NOTHING"), leaves: leaves},
		{name: "partitioned, the root's identity nothing", create: root("ALTER TABLE {t} REPLICA IDENTITY NOTHING"), leaves: leaves},
		{name: "partitioned without a key", leaves: leaves, create: []string{
			"CREATE TABLE {t} (id bigint, v text, w text) PARTITION BY RANGE (id)",
			"CREATE TABLE {b}_low PARTITION OF {t} FOR VALUES FROM (0) TO (1000)", "CREATE TABLE {b}_high PARTITION OF {t} DEFAULT",
		}},
		{name: "partitioned with a closed leaf", create: root("REVOKE ALL ON {b}_high FROM PUBLIC"), leaves: leaves},
		{name: "one leaf", create: root("GRANT SELECT ON {b}_high TO {role}"), leaves: leaves, publish: "{b}_high", grant: []string{}},
	}
}

// namedKinds are tables by their names.
func namedKinds() []tableKind {
	return []tableKind{
		{name: "quoted name", odd: ` we"ird 'na;me--`, columns: plainColumns},
		{name: "quoted name, no grant", odd: ` we"ird 'na;me--`, columns: plainColumns, grant: []string{}},
		{name: "quoted name, no key", odd: ` We"ird 'na;me--`, columns: "id bigint, v text, w text"},
		{name: "control character in the name, no key", odd: "\u0003\n\\! id", columns: "id bigint, v text, w text"},
		{name: "control character in the name, no grant", odd: "\u0003\u202e", columns: plainColumns, grant: []string{}},
		{name: "another schema", schema: "open", columns: plainColumns, create: []string{"GRANT USAGE ON SCHEMA {s} TO {role}"}},
	}
}

func findKind(name string) (tableKind, bool) {
	kinds := tableKinds()
	i := slices.IndexFunc(kinds, func(k tableKind) bool { return k.name == name })
	if i < 0 {
		return tableKind{}, false
	}
	return kinds[i], true
}

// table is one table of a scene. Its tag is in its name, and in no other name.
type table struct {
	tableKind
	tag, schema, relation string
}

func newTable(n int, k tableKind) table {
	t := table{tableKind: k, tag: fmt.Sprintf("tab%d", n), schema: "public"}
	t.relation = t.tag + k.odd
	if k.schema != "" {
		t.schema = k.schema + "_" + t.tag
	}
	return t
}

func (t table) qualified() string { return quote(t.schema) + "." + quote(t.relation) }

// sql fills in the table's names.
func (t table) sql(format string) string {
	return strings.NewReplacer("{t}", t.qualified(), "{b}", t.tag, "{s}", quote(t.schema)).Replace(format)
}

// creation is the SQL that makes the table, without the grants.
func (t table) creation() []string {
	var all []string
	if t.schema != "public" {
		all = append(all, "CREATE SCHEMA "+quote(t.schema))
	}
	if t.columns != "" {
		all = append(all, "CREATE TABLE {t} ("+t.columns+")")
	}
	return append(all, t.create...)
}

// inherited reports whether t's rows are in tables that inherit from it and are no
// partitions: those are published apart.
func (t table) inherited() bool { return t.columns != "" && len(t.leaves) > 0 }

// listed is the table as CREATE PUBLICATION … FOR TABLE lists it, empty for not
// at all.
func (t table) listed() string {
	switch t.publish {
	case "":
		return t.qualified()
	case "-":
		return ""
	}
	return t.sql(t.publish)
}

// operations are the application's statements, in order, for the row n.
func (t table) operations(n int64) []operation {
	fill := func(own, usual string) string {
		if own == "" {
			own = usual
		}
		return strings.ReplaceAll(t.sql(own), "{n}", fmt.Sprint(n))
	}
	return []operation{
		{"insert", fill(t.insert, "INSERT INTO {t} (id, v) VALUES ({n}, 'v{n}')")},
		{"update", fill(t.update, "UPDATE {t} SET v = 'u{n}' WHERE id = '{n}'")},
		{"delete", fill(t.remove, "DELETE FROM {t} WHERE id = '{n}'")},
	}
}

func (t table) pendingInsert(n int64) string {
	if t.pending == "" {
		return t.operations(n)[0].sql
	}
	return strings.ReplaceAll(t.sql(t.pending), "{n}", fmt.Sprint(n))
}

// operation is one statement of the application.
type operation struct{ name, sql string }

func quote(name string) string   { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
