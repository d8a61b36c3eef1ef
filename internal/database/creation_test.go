package database_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// making is a payload that asks for the slot and, unless publication is nil, for the
// publication.
func making(publication map[string]any) map[string]any {
	slot := map[string]any{"publication_name": "p", "slot_name": "s", "create_if_not_exists": true}
	if publication != nil {
		slot["publication"] = publication
	}
	return with(base(), "replication_slots", []any{slot})
}

// publishing is a publication to be made, with one more field.
func publishing(field string, value any) map[string]any {
	p := map[string]any{"create_if_not_exists": true}
	if field != "" {
		p[field] = value
	}
	return p
}

func table(schema, name any) map[string]any { return map[string]any{"schema": schema, "name": name} }

func TestParsePayload_Creation(t *testing.T) {
	t.Parallel()
	all := &database.NewPublication{}
	for name, tt := range map[string]struct {
		payload map[string]any
		want    database.Creation
	}{
		"nothing":                         {base(), database.Creation{}},
		"false":                           {slotWith("create_if_not_exists", false), database.Creation{}},
		"null":                            {slotWith("create_if_not_exists", nil), database.Creation{}},
		"the slot":                        {making(nil), database.Creation{Slot: true}},
		"the publication of all tables":   {slotWith("publication", publishing("", nil)), database.Creation{Publication: all}},
		"both":                            {making(publishing("", nil)), database.Creation{Slot: true, Publication: all}},
		"null for either list":            {making(publishing("tables", nil)), database.Creation{Slot: true, Publication: all}},
		"a publication that is not asked": {making(map[string]any{"create_if_not_exists": false, "schemas": []any{"a"}}), database.Creation{Slot: true}},
		"tables, whose names are data": {
			making(publishing("tables", []any{table("public", `o"r;d'ers`), table("é", "public.t")})),
			database.Creation{Slot: true, Publication: &database.NewPublication{Tables: []database.TableName{{Schema: "public", Name: `o"r;d'ers`}, {Schema: "é", Name: "public.t"}}}},
		},
		"schemas": {
			making(publishing("schemas", []any{"public", "Sales"})),
			database.Creation{Slot: true, Publication: &database.NewPublication{Schemas: []string{"public", "Sales"}}},
		},
		"the root of partitioned tables": {
			making(publishing("publish_via_partition_root", true)),
			database.Creation{Slot: true, Publication: &database.NewPublication{ViaRoot: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := parse(t, tt.payload)
			if err != nil || !reflect.DeepEqual(p.Target.Creation, tt.want) {
				t.Errorf("%+v, want %+v, error %v", p.Target.Creation, tt.want, err)
			}
		})
	}
}

func TestParsePayload_InvalidCreation(t *testing.T) {
	t.Parallel()
	const path = "replication_slots[0].publication"
	many := make([]any, 1001)
	for i := range many {
		many[i] = fmt.Sprintf("s%d", i)
	}
	for name, tt := range map[string]struct {
		payload     map[string]any
		field, says string
	}{
		"a string for true":              {slotWith("create_if_not_exists", "true"), "replication_slots[0].create_if_not_exists", "true or false"},
		"a misspelt flag":                {slotWith("create_if_not_exist", true), "replication_slots[0].create_if_not_exist", `"create_if_not_exists"`},
		"a publication that is a string": {slotWith("publication", "p"), path, "must be an object"},
		"a publication without the flag": {making(map[string]any{"schemas": []any{"a"}}), path + ".create_if_not_exists", "is required"},
		"an empty publication":           {making(map[string]any{}), path + ".create_if_not_exists", "is required"},
		"an unknown field":               {making(publishing("table", []any{})), path + ".table", `"tables"`},
		"no tables":                      {making(publishing("tables", []any{})), path + ".tables", "must not be empty"},
		"no schemas":                     {making(publishing("schemas", []any{})), path + ".schemas", "must not be empty"},
		"tables that are an object":      {making(publishing("tables", table("a", "b"))), path + ".tables", "must be an array"},
		"a table that is a string":       {making(publishing("tables", []any{"a.b"})), path + ".tables[0]", "must be an object"},
		"a table without a schema":       {making(publishing("tables", []any{table(nil, "b")})), path + ".tables[0].schema", "is required"},
		"a table without a name":         {making(publishing("tables", []any{table("a", nil)})), path + ".tables[0].name", "is required"},
		"a table with an unknown field":  {making(publishing("tables", []any{with(table("a", "b"), "where", "x")})), path + ".tables[0].where", "is not a known field"},
		"an empty name":                  {making(publishing("tables", []any{table("a", "")})), path + ".tables[0].name", "must not be empty"},
		"a name of 64 bytes":             {making(publishing("tables", []any{table("a", strings.Repeat("n", 64))})), path + ".tables[0].name", "63"},
		"a name with a line feed":        {making(publishing("tables", []any{table("a", "b\nc")})), path + ".tables[0].name", "control characters"},
		"a table twice":                  {making(publishing("tables", []any{table("a", "b"), table("a", "b")})), path + ".tables[1]", "listed twice"},
		"a schema that is a number":      {making(publishing("schemas", []any{1})), path + ".schemas[0]", "must be a string"},
		"a schema with a NUL":            {making(publishing("schemas", []any{"a\x00"})), path + ".schemas[0]", "control characters"},
		"a schema twice":                 {making(publishing("schemas", []any{"a", "b", "a"})), path + ".schemas[2]", "listed twice"},
		"1,001 schemas":                  {making(publishing("schemas", many)), path + ".schemas", "at most 1000"},
		"both lists":                     {making(with(publishing("tables", []any{table("a", "b")}), "schemas", []any{"a"})), path + ".schemas", "together with tables"},
		"the root as a number":           {making(publishing("publish_via_partition_root", 1)), path + ".publish_via_partition_root", "true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, tt.payload)
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || e.Kind != apierror.Invalid || len(e.Fields) != 1 || !strings.Contains(strings.Join(e.Fields[tt.field], "; "), tt.says) {
				t.Errorf("error %v, want %s %s", err, tt.field, tt.says)
			}
		})
	}
}
