package strictjson_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/strictjson"
)

func parse(t *testing.T, text string) (strictjson.Object, apierror.FieldErrors) {
	t.Helper()
	faults := apierror.FieldErrors{}
	o, err := strictjson.Parse([]byte(text), faults)
	if err != nil {
		t.Fatal(err)
	}
	return o, faults
}

func TestParse_Malformed(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, summary string }{
		{"no text", "", "the body is empty: send a JSON object"},
		{"white space", " \n", "the body is empty: send a JSON object"},
		{"a word", "nope", "the body is not JSON, at line 1, column 2"},
		{"an array", "[]", "the body must be a JSON object, not an array"},
		{"a string", `"secret"`, "the body must be a JSON object, not a string"},
		{"a number", "7", "the body must be a JSON object, not a number"},
		{"a boolean", "true", "the body must be a JSON object, not a boolean"},
		{"null", "null", "the body must be a JSON object, not null"},
		{"an object that does not end", `{"name":`, "the body ends before the JSON object does, at line 1, column 9"},
		{"a second object", `{} {"password":"secret"}`, "the body has data after the JSON object, at line 1, column 4"},
		{"rubbish after the object", `{}secret`, "the body has data after the JSON object, at line 1, column 3"},
		{"a key twice", "{\"name\":\"secret\",\n \"name\":\"b\"}", `the key "name" is given twice, at line 2, column 2`},
		{"a nested key twice", `{"primary":{"port":1,"port":2}}`, `the key "port" is given twice, at line 1, column 22`},
		{"a long key twice", `{"` + strings.Repeat("k", 100) + `":1,"` + strings.Repeat("k", 100) + `":2}`, `the key "` + strings.Repeat("k", 64) + `…" is given twice, at line 1, column 107`},
		{"a key twice, once escaped", `{"a":1,"\u0061":2}`, `the key "a" is given twice, at line 1, column 8`},
		{"a trailing comma", `{"name":"secret",}`, "the body is not JSON, at line 1, column 17"},
		{"a key without quotation marks", "{password:secret}", "the body is not JSON, at line 1, column 2"},
		{"a value without quotation marks", "{\"password\":\n secret}", "the body is not JSON, at line 2, column 2"},
		{"a bad escape", `{"password":"secret\x"}`, "the body is not JSON, at line 1, column 20"},
		{"not UTF-8", "{\"name\":\"\xff\"}", "the body is not JSON, at line 1, column 10"},
		{"a lone surrogate", `{"name":"\ud800"}`, "the body is not JSON, at line 1, column 10"},
		{"arrays without end", strings.Repeat("[", 60000), "the body is nested deeper than 10,000 levels, at line 1, column 10001"},
		{"objects without end", strings.Repeat(`{"a":`, 12000), "the body is nested deeper than 10,000 levels, at line 1, column 50001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := strictjson.Parse([]byte(tt.text), apierror.FieldErrors{})
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || e.Kind != apierror.Malformed || e.Summary != tt.summary || e.Error() != tt.summary {
				t.Errorf("error %v, want %q", err, tt.summary)
			}
		})
	}
}

func TestObject_Getters(t *testing.T) {
	t.Parallel()
	o, faults := parse(t, `{"s":"a\u00e9","yes":true,"no":false,"n":-7,"null":null,"o":{"a":{"b":1.50}},"list":[{"x":"1"},{"x":"2"}],"empty":[],"words":["a","\u00e9"]}`)
	if s := o.String("s", nil); s == nil || *s != "aé" {
		t.Errorf("String: %v", s)
	}
	if yes, no := o.Bool("yes"), o.Bool("no"); yes == nil || no == nil || !*yes || *no {
		t.Errorf("Bool: %v, %v", yes, no)
	}
	if n := o.Int("n", nil); n == nil || *n != -7 {
		t.Errorf("Int: %v", n)
	}
	inner := o.Object("o")
	if inner == nil || inner.Raw("a") != `{"b":1.50}` {
		t.Errorf("Object and Raw: %v", inner)
	}
	list := o.Objects("list", nil)
	if len(list) != 2 || *list[1].String("x", nil) != "2" {
		t.Errorf("Objects: %v", list)
	}
	if empty := o.Objects("empty", nil); empty == nil || len(empty) != 0 {
		t.Errorf("Objects of an empty array: %v", empty)
	}
	if words := o.Strings("words", nil, nil); !slices.Equal(words, []string{"a", "é"}) {
		t.Errorf("Strings: %v", words)
	}
	for _, name := range []string{"null", "absent"} {
		if o.Has(name) || o.IsNull(name) != (name == "null") || o.Raw(name) != "" || o.String(name, nil) != nil ||
			o.Bool(name) != nil || o.Int(name, nil) != nil || o.Object(name) != nil || o.Objects(name, nil) != nil || o.Strings(name, nil, nil) != nil {
			t.Errorf("%s is not as good as absent", name)
		}
	}
	o.RejectUnknown()
	if len(faults) > 0 {
		t.Errorf("faults %v", faults)
	}
}

func TestObject_Faults(t *testing.T) {
	t.Parallel()
	refuse := func(string) string { return "is refused" }
	refuseInt := func(int) string { return "is refused" }
	tests := []struct {
		name, text string
		read       func(strictjson.Object)
		want       string
	}{
		{"a number for a string", `{"a":1}`, func(o strictjson.Object) { o.String("a", refuse) }, "a must be a string"},
		{"a string that breaks its rule", `{"a":"x"}`, func(o strictjson.Object) { o.String("a", refuse) }, "a is refused"},
		{"a string for a boolean", `{"a":"true"}`, func(o strictjson.Object) { o.Bool("a") }, "a must be true or false"},
		{"a string for an integer", `{"a":"1"}`, func(o strictjson.Object) { o.Int("a", nil) }, "a must be an integer"},
		{"a fraction", `{"a":5.0}`, func(o strictjson.Object) { o.Int("a", nil) }, "a must be an integer"},
		{"an exponent", `{"a":5E0}`, func(o strictjson.Object) { o.Int("a", nil) }, "a must be an integer"},
		{"an integer that breaks its rule", `{"a":9999999999999999999999}`, func(o strictjson.Object) { o.Int("a", refuseInt) }, "a is refused"},
		{"an array for an object", `{"a":[]}`, func(o strictjson.Object) { o.Object("a") }, "a must be an object"},
		{"a member of an object", `{"a":{"b":1}}`, func(o strictjson.Object) { o.Object("a").String("b", nil) }, "a.b must be a string"},
		{"an object for an array", `{"a":{}}`, func(o strictjson.Object) { o.Objects("a", nil) }, "a must be an array"},
		{"an array that breaks its rule", `{"a":[1]}`, func(o strictjson.Object) { o.Objects("a", refuseInt) }, "a is refused"},
		{"an element that is not an object", `{"a":[{},null]}`, func(o strictjson.Object) { o.Objects("a", nil) }, "a[1] must be an object"},
		{"an object for an array of strings", `{"a":{}}`, func(o strictjson.Object) { o.Strings("a", nil, nil) }, "a must be an array"},
		{"an array of strings that breaks its rule", `{"a":[1]}`, func(o strictjson.Object) { o.Strings("a", refuseInt, nil) }, "a is refused"},
		{"an element that is not a string", `{"a":["x",null]}`, func(o strictjson.Object) { o.Strings("a", nil, nil) }, "a[1] must be a string"},
		{"every string of an array that breaks its rule", `{"a":[1,"x","y"]}`, func(o strictjson.Object) { o.Strings("a", nil, refuse) }, "a[0] must be a string; a[1] is refused; a[2] is refused"},
		{"a string of an array that breaks its rule", `{"a":["x"]}`, func(o strictjson.Object) { o.Strings("a", nil, refuse) }, "a[0] is refused"},
		{"a member of an element", `{"a":[{"b":1}]}`, func(o strictjson.Object) { o.Objects("a", nil)[0].String("b", nil) }, "a[0].b must be a string"},
		{"a member of an element after one that is not an object", `{"a":[1,{"b":1}]}`, func(o strictjson.Object) { o.Objects("a", nil)[1].String("b", nil) }, "a[0] must be an object; a[1].b must be a string"},
		{"a member that is required", `{"b":null}`, func(o strictjson.Object) { o.Require("a", "b") }, "a is required; b is required"},
		{"an unknown member", `{"a":1,"zzzzz":2}`, func(o strictjson.Object) { o.Raw("a"); o.RejectUnknown() }, "zzzzz is not a known field"},
		{"an unknown member near a known one", `{"hostnme":1}`, func(o strictjson.Object) { o.Raw("hostname"); o.RejectUnknown() }, `hostnme is not a known field; the nearest is "hostname"`},
		{"a member that is ignored", `{"id":1}`, func(o strictjson.Object) { o.RejectUnknown("id") }, ""},
		{"a name in another letter case", `{"A":1}`, func(o strictjson.Object) { o.Raw("a"); o.RejectUnknown() }, `A is not a known field; the nearest is "a"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, faults := parse(t, tt.text)
			tt.read(o)
			var got []string
			for _, path := range slices.Sorted(maps.Keys(faults)) {
				got = append(got, path+" "+strings.Join(faults[path], ", "))
			}
			if strings.Join(got, "; ") != tt.want {
				t.Errorf("faults %q, want %q", got, tt.want)
			}
		})
	}
}

func TestObject_StringThatBreaksItsRule(t *testing.T) {
	t.Parallel()
	t.Run("is returned", func(t *testing.T) {
		t.Parallel()
		o, _ := parse(t, `{"a":"x","n":3}`)
		s, n := o.String("a", func(string) string { return "bad" }), o.Int("n", func(int) string { return "bad" })
		if s == nil || *s != "x" || n == nil || *n != 3 {
			t.Errorf("got %v and %v", s, n)
		}
	})
}

func TestObject_RejectUnknownNearest(t *testing.T) {
	t.Parallel()
	known := []string{"name", "url", "hostname", "port", "database", "username", "password", "ssl", "ssl_mode", "ssl_root_cert", "annotations", "replication_slots"}
	tests := []struct{ behaviour, name, nearest string }{
		{"one edit", "hostnam", "hostname"},
		{"two edits", "nmae", "name"},
		{"three edits are too many", "ohstmane", ""},
		{"the beginning of a name", "host", "hostname"},
		{"the beginning of several names means the shortest", "ssl_", "ssl"},
		{"a beginning of two letters", "ho", "hostname"},
		{"a beginning of one letter and of one name", "h", "hostname"},
		{"a beginning of one letter and of several names", "s", ""},
		{"two edits of a short name in other order", "sls", "ssl"},
		{"two edits that leave little of a short name", "uxx", ""},
		{"two edits that make another short name", "usx", ""},
		{"a read-only name in another spelling", "ID", "id"},
		{"a read-only name without its separator", "poolsize", "pool_size"},
		{"a name before a read-only one", "po", "port"},
		{"the end of a name", "slots", ""},
		{"letter case does not count", "HOSTNAME", "hostname"},
		{"separators do not count", "sslRootCert", "ssl_root_cert"},
		{"nothing like it", "colour", ""},
		{"an empty name", "", ""},
		{"separators only", "___", ""},
		{"a long name", strings.Repeat("name", 1000), ""},
	}
	for _, tt := range tests {
		t.Run(tt.behaviour, func(t *testing.T) {
			t.Parallel()
			o, faults := parse(t, `{"`+tt.name+`":1}`)
			for _, k := range known {
				o.Has(k)
			}
			readOnly := []string{"id", "pool_size"}
			o.RejectUnknown(readOnly...)
			want := "is not a known field"
			if tt.nearest != "" {
				want += `; the nearest is "` + tt.nearest + `"`
			}
			if slices.Contains(readOnly, tt.nearest) {
				want += ", which is read-only"
			}
			if got := faults[strictjson.Bounded(tt.name)]; !slices.Equal(got, []string{want}) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestObject_RejectUnknownMany(t *testing.T) {
	t.Parallel()
	t.Run("50 faults are reported", func(t *testing.T) {
		t.Parallel()
		var text strings.Builder
		for i := range 200 {
			text.WriteString(`,"x` + strings.Repeat("y", i) + `":1`)
		}
		o, faults := parse(t, "{"+text.String()[1:]+"}")
		o.RejectUnknown()
		if n := len(slices.Concat(slices.Collect(maps.Values(faults))...)); n != 50 {
			t.Errorf("%d faults", n)
		}
	})
}

func TestBounded(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, out string }{
		{"short", "abc", "abc"},
		{"64 bytes", strings.Repeat("a", 64), strings.Repeat("a", 64)},
		{"65 bytes", strings.Repeat("a", 65), strings.Repeat("a", 64) + "…"},
		{"cut between characters", strings.Repeat("a", 63) + "éé", strings.Repeat("a", 63) + "…"},
		{"unprintable characters", "a\r\n\x1b\u202e\u2028\u200bé", "a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDé"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := strictjson.Bounded(tt.in); got != tt.out {
				t.Errorf("%q, want %q", got, tt.out)
			}
		})
	}
}

// FuzzParse holds that Parse returns no other error, and that no getter panics on
// what it accepts.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":1,"o":{"b":[{},{"c":"\u0061"}]}}`, `{"o":[1,2]}`, `{"a":1,"a":2}`, "{", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := strictjson.Parse(text, apierror.FieldErrors{})
		if err != nil {
			if apierror.KindOf(err) != apierror.Malformed {
				t.Fatalf("error %v", err)
			}
			return
		}
		o.String("a", nil)
		o.Int("a", nil)
		if inner := o.Object("o"); inner != nil {
			inner.Objects("b", nil)
			inner.RejectUnknown()
		}
		o.Objects("o", nil)
		o.RejectUnknown()
	})
}
