package probe_test

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/quote"
	"github.com/headgate/headgate/internal/redact"
)

// FuzzQuoteLiteral reads the literal back by the rules of Postgres's scanner.
func FuzzQuoteLiteral(f *testing.F) {
	for _, name := range awkward() {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, conforming := range []bool{true, false} {
			got, rest := readLiteral(quote.RawLiteral(s)+", 'next'", conforming)
			if got != s || rest != ", 'next'" {
				t.Errorf("%q is read as %q, and %q remains", s, got, rest)
			}
		}
	})
}

// FuzzQuoteIdentifier reads the identifier back by the rules of Postgres's scanner.
func FuzzQuoteIdentifier(f *testing.F) {
	for _, name := range awkward() {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, rest := readQuoted(quote.RawIdentifier(s)+"; rest", '"', false)
		if got != s || rest != "; rest" {
			t.Errorf("%q is read as %q, and %q remains", s, got, rest)
		}
		for _, shown := range []string{quote.Identifier(s), quote.Literal(s), quote.JSON(s), quote.Name(s)} {
			if shown != redact.Line(shown, len(shown)+3) {
				t.Errorf("%q is shown as %q", s, shown)
			}
		}
	})
}

// readLiteral reads the string literal at the start of sql, with this setting of
// standard_conforming_strings.
func readLiteral(sql string, conforming bool) (value, rest string) {
	if after, ok := strings.CutPrefix(sql, "E"); ok {
		return readQuoted(after, '\'', true)
	}
	return readQuoted(sql, '\'', !conforming)
}

// readQuoted reads up to the quote that is not doubled.
func readQuoted(sql string, quote byte, escapes bool) (value, rest string) {
	if sql == "" || sql[0] != quote {
		return "", sql
	}
	var b strings.Builder
	for i := 1; i < len(sql); i++ {
		switch {
		case escapes && sql[i] == '\\' && i+1 < len(sql):
			// The only escape that Literal writes is the doubled backslash.
			i++
			if sql[i] != '\\' {
				return "", sql
			}
			b.WriteByte('\\')
		case sql[i] == quote && i+1 < len(sql) && sql[i+1] == quote:
			i++
			b.WriteByte(quote)
		case sql[i] == quote:
			return b.String(), sql[i+1:]
		default:
			b.WriteByte(sql[i])
		}
	}
	return "", ""
}

// FuzzReport judges any answer to the statement: the report is small and has every check
// in order, and nothing panics.
func FuzzReport(f *testing.F) {
	f.Add(`{}`)
	f.Add(`null`)
	f.Add(tablesAnswer(`[{"name":["a","b"]}]`))
	f.Add(tablesAnswer(`[{}]`))
	f.Add(`{"server":{"version":-1,"in_recovery":true,"superuser":false},"settings":{"max_wal_senders":{"value":"1"}},"walsenders":9,
"publication":{"found":{"puballtables":true,"age":-5}},"identity":"1",
"slot":{"found":{"slot_type":"logical","plugin":"pgoutput","age":3,"active":true,"active_pid":7,"retained":999999999999,"safe_wal_size":-1}}}`)
	f.Add(`{"publication":{"found":null},"slot":{"found":{"slot_type":"logical","plugin":"pgoutput","restart_lsn":"0/1","wal_status":"unreserved"}}}`)
	f.Add(`{"server":{"settings":{"max_replication_slots":"-1","max_slot_wal_keep_size":"9223372036854775807","idle_replication_slot_timeout":"1"}},
"publication":{"found":{}},"replication slots":{"in_use":9,"free_suffix":7,"standbys":[{"name":"s"}]},"row filters":true,
"slot":{"found":{"slot_type":"logical","plugin":"pgoutput","restart_lsn":"0/1","failover":true,"two_phase":true,"idle":-9223372036854775808,"safe_wal_size":0}}}`)
	f.Add(`{"server":{},"publication":{"found":null},"slot":{"found":{"slot_type":"logical","plugin":"pgoutput","active":true,"waits_for":[-1,0,7]}}}`)
	f.Fuzz(func(t *testing.T, answer string) {
		if len(answer) > 1<<20 {
			return
		}
		target := newTarget(1, 5432)
		report, err := judgeAnswer(target, []byte(answer))
		wantDisplayable(t, report)
		names := check.Names()
		for _, c := range report {
			if len(names) > 1 && c.Name == names[1] {
				names = names[1:]
			}
			if c.Name != names[0] {
				t.Fatalf("%s is out of order in%s", c.Name, describe(report))
			}
			if failed := c.Status == check.Failed || c.Status == check.Warned; failed != (c.Code != "") || failed != (c.Message != "") {
				t.Errorf("%+v is incomplete", c)
			}
		}
		if text, jsonErr := json.Marshal(report); jsonErr != nil || len(text) > len(answer)*20+64<<10 {
			t.Errorf("the report has %d bytes: %v", len(text), jsonErr)
		}
		if _, failed := report.FirstFailure(); err != nil && !failed && report[len(report)-1].Status == check.Passed {
			t.Errorf("a bad answer (%v) passes:%s", err, describe(report))
		}
	})
}

// FuzzServer probes a server that sends anything: nothing panics, and the report has a
// failure, because no password was proved.
func FuzzServer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 400 Bad Request"), false)
	f.Add([]byte("N"), true)
	f.Add([]byte("S\x16\x03\x03\x00\x00"), true)
	f.Add([]byte("R\x00\x00\x00\x08\x00\x00\x00\x0bS\x00\x00\x00\x05x"), false)
	f.Add([]byte("R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"), false)
	f.Add([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05IE\x00\x00\x00\x05\x00"), false)
	f.Fuzz(func(t *testing.T, sent []byte, ssl bool) {
		p := resolvingTo(t, "127.0.0.1")
		p.Client.Dialer = dialerFunc(func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer func() { _ = server.Close() }()
				go discardInput(server)
				_, _ = server.Write(sent)
			}()
			return client, nil
		})
		target := newTarget(1, 5432)
		target.Endpoint.SSL = ssl
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, failed := p.Probe(ctx, target).Report.FirstFailure(); !failed {
			t.Error("it passes")
		}
	})
}
