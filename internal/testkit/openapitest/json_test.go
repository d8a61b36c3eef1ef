package openapitest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/testkit/openapitest"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, yaml, want, err string }{
		{"keeps the order of members", "b: 1\na: 2\n", `{"b":1,"a":2}`, ""},
		{"all types", "[s, '1', 1, 1.5, true, null, {}, []]", `["s","1",1,1.5,true,null,{},[]]`, ""},
		{"a version is a string", "v: 3.1.0", `{"v":"3.1.0"}`, ""},
		{"aliases", "a: &a {x: [1]}\nb: *a\n", `{"a":{"x":[1]},"b":{"x":[1]}}`, ""},
		{"no HTML escapes", "a: <b> & c", `{"a":"<b> & c"}`, ""},
		{"a block of text", "a: |\n  b\n  c\n", `{"a":"b\nc\n"}`, ""},
		{"a name that is a number", "200: a", "", "line 1"},
		{"a name given twice", "a: 1\na: 2", "", "line 2"},
		{"a merge key", "a: &a {x: 1}\nb:\n  <<: *a\n", "", "line 3"},
		{"infinity", "[.inf]", "", "line 1"},
		{"not YAML", "a: [", "", "parse YAML"},
		{"nothing", "", "", "line 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := openapitest.JSON([]byte(tt.yaml))
			expect(t, err, tt.err)
			var compact bytes.Buffer
			if err == nil {
				err = json.Compact(&compact, got)
			} else {
				err = nil
			}
			if err != nil || strings.TrimSpace(compact.String()) != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}
