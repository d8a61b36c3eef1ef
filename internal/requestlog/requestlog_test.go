package requestlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/requestlog"
)

// write returns the line of e, without the members that differ from run to run.
func write(t *testing.T, ctx context.Context, e requestlog.Entry, namespace string) map[string]any {
	t.Helper()
	var out bytes.Buffer
	e.Write(ctx, slog.New(slog.NewJSONHandler(&out, nil)), namespace)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if duration, ok := line["duration_ms"].(float64); !ok || duration < 0 {
		t.Errorf("duration_ms %v", line["duration_ms"])
	}
	delete(line, "duration_ms")
	delete(line, "time")
	return line
}

func TestEntry_Write(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		entry requestlog.Entry
		want  string
	}{
		{
			"a request",
			requestlog.Entry{
				Kind: requestlog.Request, RequestID: "r", Operation: "get-database", Route: "GET /x", Account: "acme", KeyID: "k",
				Status: 200, Findings: []check.Code{"a", "b"}, Revealed: []string{"id"},
			},
			`{"level":"INFO","msg":"request","retries":0,"request_id":"r","operation":"get-database","route":"GET /x","account":"acme",
				"key_id":"k","status":200,"checks":["a","b"],"passwords_shown":["id"]}`,
		},
		{
			"an unknown path",
			requestlog.Entry{Kind: requestlog.Request, RequestID: "r", Status: 404},
			`{"level":"INFO","msg":"request","retries":0,"request_id":"r","status":404}`,
		},
		{
			"a failure on this side",
			requestlog.Entry{Kind: requestlog.Event, RequestID: "e", Outcome: "o", Code: "c", Err: errors.New("why")},
			`{"level":"ERROR","msg":"event","retries":0,"request_id":"e","outcome":"o","code":"c","error":"why"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var want map[string]any
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if got := write(t, requestlog.Start(t.Context()), tt.entry, ""); !reflect.DeepEqual(got, want) {
				t.Errorf("line %v, want %v", got, want)
			}
		})
	}
	t.Run("what was noted in the context", func(t *testing.T) {
		t.Parallel()
		ctx := requestlog.Start(t.Context())
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		requestlog.Retried(inner)
		requestlog.Retried(inner)
		requestlog.SetDatabase(inner, "id")
		if line := write(t, ctx, requestlog.Entry{}, ""); line["retries"] != 2.0 || line["database"] != "id" {
			t.Errorf("line %v", line)
		}
	})
	t.Run("a context without a record", func(t *testing.T) {
		t.Parallel()
		requestlog.Retried(t.Context())
		requestlog.SetDatabase(t.Context(), "id")
		if line := write(t, t.Context(), requestlog.Entry{}, ""); line["retries"] != 0.0 || line["database"] != nil {
			t.Errorf("line %v", line)
		}
	})
}

func TestEntry_Write_Metrics(t *testing.T) {
	t.Parallel()
	const duration = `{"Namespace":"headgate/prod","Dimensions":[["operation"]],"Metrics":[{"Name":"duration_ms","Unit":"Milliseconds"}]}`
	tests := []struct {
		name       string
		entry      requestlog.Entry
		directives string
		values     map[string]any
	}{
		{"duration", requestlog.Entry{Operation: "o"}, `[` + duration + `]`, nil},
		{
			"created",
			requestlog.Entry{Operation: "o", Created: true},
			`[` + duration + `,{"Namespace":"headgate/prod","Dimensions":[[]],"Metrics":[{"Name":"created","Unit":"Count"}]}]`,
			map[string]any{"created": 1.0},
		},
		{
			"refused",
			requestlog.Entry{Operation: "o", Code: "c"},
			`[` + duration + `,{"Namespace":"headgate/prod","Dimensions":[["code"]],"Metrics":[{"Name":"refused","Unit":"Count"}]}]`,
			map[string]any{"refused": 1.0, "code": "c"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			line := write(t, requestlog.Start(t.Context()), tt.entry, "headgate/prod")
			aws, ok := line["_aws"].(map[string]any)
			if !ok || aws["Timestamp"] == 0.0 {
				t.Fatalf("line %v", line)
			}
			var want []any
			if err := json.Unmarshal([]byte(tt.directives), &want); err != nil {
				t.Fatal(err)
			}
			if got := aws["CloudWatchMetrics"]; !reflect.DeepEqual(got, want) {
				t.Errorf("directives %v, want %v", got, want)
			}
			for name, value := range tt.values {
				if line[name] != value {
					t.Errorf("%s is %v, want %v", name, line[name], value)
				}
			}
		})
	}
	t.Run("none without a namespace or an operation", func(t *testing.T) {
		t.Parallel()
		for _, line := range []map[string]any{
			write(t, t.Context(), requestlog.Entry{Operation: "o", Code: "c", Created: true}, ""),
			write(t, t.Context(), requestlog.Entry{Code: "c"}, "headgate/prod"),
		} {
			if line["_aws"] != nil || line["refused"] != nil || line["created"] != nil {
				t.Errorf("line %v", line)
			}
		}
	})
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	for group, want := range map[string]string{
		"/aws/lambda/prod/create-database": "headgate/prod",
		"/aws/lambda/create-database":      "headgate",
		"/aws/lambda//create-database":     "headgate",
		"/aws/lambda/prod/":                "headgate",
		"/aws/lambda/a/b/c":                "headgate",
		"/other/prod/create-database":      "headgate",
		"":                                 "headgate",
	} {
		if got := requestlog.Namespace(group); got != want {
			t.Errorf("namespace of %q is %q, want %q", group, got, want)
		}
	}
}
