package database

import "strconv"

// maxPublished is how many tables or schemas a new publication may list.
const maxPublished = 1000

const createIfNotExists = "create_if_not_exists"

// wanted reports whether anything may be made.
func (c Creation) wanted() bool { return c.Slot || c.Publication != nil }

// creation reads what a create or an update may make on the target, from the one
// element of replication_slots.
func (r reader) creation() Creation {
	var c Creation
	if wanted := r.Bool(createIfNotExists); wanted != nil {
		c.Slot = *wanted
	}
	publication := r.Object.Object("publication")
	if publication == nil {
		return c
	}
	inner := r.within(*publication)
	// Without it, a list of tables would have no effect, and nothing would say so.
	inner.Require(createIfNotExists)
	wanted := inner.Bool(createIfNotExists)
	made := NewPublication{Tables: inner.tableNames(), Schemas: inner.schemas()}
	if viaRoot := inner.Bool("publish_via_partition_root"); viaRoot != nil {
		made.ViaRoot = *viaRoot
	}
	if inner.Has("tables") && inner.Has("schemas") {
		inner.Fault("schemas", "must not be given together with tables")
	}
	inner.RejectUnknown()
	if wanted != nil && *wanted {
		c.Publication = &made
	}
	return c
}

func (r reader) tableNames() []TableName {
	const name = "tables"
	var tables []TableName
	seen := map[TableName]bool{}
	for i, o := range r.Objects(name, publishedRule) {
		if o == nil {
			continue
		}
		inner := r.within(*o)
		inner.Require("schema", "name")
		schema, table := inner.String("schema", identifierRule), inner.String("name", identifierRule)
		inner.RejectUnknown()
		if schema == nil || table == nil {
			continue
		}
		t := TableName{*schema, *table}
		if seen[t] {
			r.Fault(name+"["+strconv.Itoa(i)+"]", listedTwice)
		}
		seen[t] = true
		tables = append(tables, t)
	}
	return tables
}

func (r reader) schemas() []string {
	const name = "schemas"
	schemas := r.Strings(name, publishedRule, identifierRule)
	seen := map[string]bool{}
	for i, s := range schemas {
		if seen[s] {
			r.Fault(name+"["+strconv.Itoa(i)+"]", listedTwice)
		}
		seen[s] = true
	}
	return schemas
}

const listedTwice = "is listed twice"

// publishedRule is the rule for the length of a publication's lists. An empty list is
// refused: it could mean no tables as well as all of them.
func publishedRule(n int) string {
	switch {
	case n == 0:
		return "must not be empty: leave it out for all tables"
	case n > maxPublished:
		return "must hold at most " + strconv.Itoa(maxPublished) + " entries"
	}
	return ""
}
