package database_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// odd is what an encoder would change: spaces, escapes, HTML's characters, the
// order of members and the digits of numbers.
const odd = `{ "z": 1.50, "a": "<b>&\u0041\u2028é\/", "n": [12345678901234567890, -0, 1E2, null, {}] }`

// annotated returns a create's body with these annotations.
func annotated(t *testing.T, annotations string) []byte {
	t.Helper()
	body, err := json.Marshal(base())
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.TrimSuffix(string(body), "}") + `,"annotations":` + annotations + `}`)
}

func (f *fixture) createAnnotated(key, annotations string) (database.Created, error) {
	f.t.Helper()
	p, err := database.ParsePayload(annotated(f.t, annotations))
	if err != nil {
		f.t.Fatal(err)
	}
	return f.service.Create(f.t.Context(), "acme", p, key)
}

func (f *fixture) annotations(ref string) string {
	f.t.Helper()
	d, err := f.service.Get(f.t.Context(), "acme", ref)
	if err != nil {
		f.t.Fatal(err)
	}
	return d.Annotations
}

func TestParsePayload_Annotations(t *testing.T) {
	t.Parallel()
	sized := func(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }
	for _, tt := range []struct{ name, annotations, problem string }{
		{"an empty object", `{}`, ""},
		{"any values", odd, ""},
		{"deep ones", `{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, ""},
		{"8 KiB", sized(8192), ""},
		{"8 KiB and a byte", sized(8193), "must be at most 8 KiB (8,192 bytes)"},
		{"spaces count", "{" + strings.Repeat(" ", 8191) + "}", "must be at most 8 KiB (8,192 bytes)"},
		{"a string", `"x"`, "must be an object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := database.ParsePayload(annotated(t, tt.annotations))
			if tt.problem == "" {
				if err != nil || p.Annotations != tt.annotations {
					t.Errorf("annotations %s, error %v", p.Annotations, err)
				}
				return
			}
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || fmt.Sprint(e.Fields) != "map[annotations:["+tt.problem+"]]" {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("a duplicate key within them is malformed", func(t *testing.T) {
		t.Parallel()
		if _, err := database.ParsePayload(annotated(t, `{"a":{"b":1,"b":2}}`)); apierror.KindOf(err) != apierror.Malformed {
			t.Errorf("error %v", err)
		}
	})
}

func TestService_Annotations(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	created, err := f.createAnnotated("", odd)
	if err != nil {
		t.Fatal(err)
	}
	d := created.Database
	t.Run("are stored as sent", func(t *testing.T) {
		if d.Annotations != odd || f.annotations(d.ID) != odd {
			t.Errorf("annotations %s and %s", d.Annotations, f.annotations(d.ID))
		}
	})
	t.Run("are listed", func(t *testing.T) {
		listed, err := f.list("acme", 0, database.ListOptions{})
		if err != nil || len(listed) != 1 || listed[0].Database.Annotations != odd {
			t.Errorf("%+v, error %v", listed, err)
		}
	})
	for _, tt := range []struct{ name, body, want string }{
		{"stay if an update does not send them", `{"name":"renamed"}`, odd},
		{"stay if an update sends null", `{"annotations":null}`, odd},
		{"are replaced whole", `{"annotations":{"new":true}}`, `{"new":true}`},
		{"can be emptied", `{"annotations":{}}`, `{}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			probes := len(f.prober.probed())
			u, err := f.update(d.ID, tt.body, true)
			if err != nil || u.Database.Annotations != tt.want || f.annotations(d.ID) != tt.want {
				t.Errorf("annotations %s, error %v", u.Database.Annotations, err)
			}
			if len(f.prober.probed()) != probes {
				t.Error("the target was probed")
			}
		})
	}
}

func TestCreate_IdempotencyKeyAndAnnotations(t *testing.T) {
	t.Parallel()
	const first = `{"a":1.0,"b":{"c":"A","d":9007199254740993}}`
	for _, tt := range []struct {
		name, annotations string
		same              bool
	}{
		{"the same text", first, true},
		{"another order, other spaces and escapes", `{ "b": {"d":9007199254740993, "c":"\u0041"}, "a": 1.0 }`, true},
		{"another string", `{"a":1.0,"b":{"c":"B","d":9007199254740993}}`, false},
		{"a large number that is equal as a float", `{"a":1.0,"b":{"c":"A","d":9007199254740992}}`, false},
		{"no annotations", `null`, false},
		{"empty annotations", `{}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			if _, err := f.createAnnotated("key-1", first); err != nil {
				t.Fatal(err)
			}
			again, err := f.createAnnotated("key-1", tt.annotations)
			if tt.same && (err != nil || again.Database.Annotations != first) || !tt.same && code(err) != apierror.IdempotencyKeyReused {
				t.Errorf("annotations %s, error %v", again.Database.Annotations, err)
			}
		})
	}
}
