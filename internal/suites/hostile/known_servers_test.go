package hostile_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/testkit/gateway"
)

// knownServer is a hostile server that once got something.
type knownServer struct {
	name  string
	alter func(m moment, honest [][]byte) [][]byte
	// lists is true where the list of tables is what is hostile.
	lists bool
}

func knownServers() []knownServer {
	quotes := strings.Repeat(`"`, 512)
	odd := slices.Repeat([][2]string{{strings.Repeat("\x01", 40), strings.Repeat(`"`, 40)}}, 55_000)
	return []knownServer{
		{name: "refuses the statement, then one part has a name of 400,000 bytes", alter: func(m moment, honest [][]byte) [][]byte {
			if asksAll(m) {
				return failed(pgproto3.ErrorResponse{Severity: "ERROR", Code: "42501", Message: "permission denied"})
			}
			return factsOf(honest, everyText(strings.Repeat("r", 400_000), false))
		}},
		{name: "has a role of 400,000 bytes", alter: func(_ moment, honest [][]byte) [][]byte {
			return factsOf(honest, func(v any) any { return replaced(v, "role", strings.Repeat("r", 400_000)) })
		}},
		{name: "has tables named by 512 quotation marks", alter: func(_ moment, honest [][]byte) [][]byte {
			return factsOf(honest, func(v any) any { return lengthened(v, quotes) })
		}},
		{name: "has tables named by 512 control characters", alter: func(_ moment, honest [][]byte) [][]byte {
			return factsOf(honest, func(v any) any { return lengthened(v, strings.Repeat("\x01", 512)) })
		}},
		{name: "has names of 512 quotation marks everywhere", alter: func(_ moment, honest [][]byte) [][]byte {
			return factsOf(honest, everyText(quotes, false))
		}},
		{name: "lists 55,000 odd tables", lists: true, alter: func(m moment, honest [][]byte) [][]byte {
			if !listsTables(m) {
				return honest
			}
			return [][]byte{slices.Concat(withNames(honest, odd)...)}
		}},
		{name: "asks for the password in cleartext", alter: func(m moment, honest [][]byte) [][]byte {
			if m.stage != onLogin {
				return honest
			}
			return encode(&pgproto3.AuthenticationCleartextPassword{})
		}},
		{name: "asks for the password in cleartext after all", alter: func(m moment, honest [][]byte) [][]byte {
			if m.number != 2 {
				return honest
			}
			return append(encode(&pgproto3.AuthenticationCleartextPassword{}), honest...)
		}},
	}
}

// asksAll reports whether a statement asks for several parts.
func asksAll(m moment) bool {
	return m.stage == onQuery && strings.Contains(m.sql, "'server'") && strings.Contains(m.sql, "'slot'")
}

// listsTables reports whether a statement lists the tables of a publication as rows.
func listsTables(m moment) bool {
	return strings.Contains(m.sql, "THEN 'default'")
}

// replaced sets every member of that name in a document.
func replaced(v any, name, text string) any {
	switch v := v.(type) {
	case map[string]any:
		for member := range v {
			if v[member] = replaced(v[member], name, text); member == name {
				v[member] = text
			}
		}
	case []any:
		for i := range v {
			v[i] = replaced(v[i], name, text)
		}
	}
	return v
}

// lengthened makes every list of names in a document one of 20, of that name.
func lengthened(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		for member := range v {
			v[member] = lengthened(v[member], name)
		}
	case []any:
		if len(v) == 0 {
			return v
		}
		if parts, ok := v[0].([]any); ok {
			for i := range parts {
				if _, text := parts[i].(string); text {
					parts[i] = name
				}
			}
			return slices.Repeat([]any{parts}, 20)
		}
	}
	return v
}

func TestServers_Known(t *testing.T) {
	t.Parallel()
	o := newOracle(t, "a password")
	honest := (&pretender{oracle: o}).start(t)
	for _, known := range knownServers() {
		t.Run(known.name, func(t *testing.T) {
			t.Parallel()
			total.add(serversMade, 1)
			total.mode(known.name)
			s := newStack(t, loopback, "")
			server := (&pretender{oracle: o, alter: func(m moment, honest [][]byte) reply { return reply{messages: known.alter(m, honest)} }}).start(t)
			payload := payloadOf("orders", o.source, "127.0.0.1", server.port)
			payload["ssl"] = false
			if !s.moveTo("moved", payload, honest) {
				return
			}
			answers := []answer{
				s.dryRun(payload), s.send("POST", gateway.Collection, payload),
				s.ask("test_connection", "moved"), s.ask("refresh_tables", "moved"), s.ask("update", "moved"),
			}
			for _, got := range answers {
				s.checkSizes(plan{}, got)
				if known.lists && got.Tables != nil && len(got.Tables) < 1000 {
					t.Errorf("%d tables are listed", len(got.Tables))
				}
				t.Logf("%d, %d bytes, %v, %v", got.status, got.size, got.took.Round(time.Millisecond), got.codes())
			}
			s.checkList200(known.name)
			server.stop()
			if bytes.Contains(server.heard, []byte(o.source.Password)) {
				t.Error("the password was sent without TLS")
			}
		})
	}
}
