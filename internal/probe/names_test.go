package probe_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/quote"
)

// awkward returns names that break SQL that does not quote them correctly.
func awkward() []string {
	return []string{
		`'; DROP TABLE t; --`, `"; DROP TABLE t; --`, `\'; DROP TABLE t; --`, `x') OR 1=1 --`, `'||(SELECT 1)||'`,
		`"`, `""`, `'`, `''`, `\`, `\\`, `\'`, `'\''`, `E'\\'`, `$$`, `$$; DROP TABLE t; $$`, `$x$`, `--`, `/*`, `*/`, `/* */`, `;`, `;;`,
		"a b", "Tab\tand\nline", "\r\n", "\x01\x7f", `%s%d`, `{0}`, `$1`, `:name`, `?`, ",", `a,b`, ` leading`, `trailing `, `SELECT`, `Große`, "名前", "🐘", "e\u0301", "\u202e", "x\x03\n\\! id", "\u2028\u00a0\u200b\ufeff", "\U000e0041\u3164", "\u2066abc\u2069\"\\'",
		`U&"\0027"`, `x'00'`, strings.Repeat("x", 63), strings.Repeat("'", 63), strings.Repeat(`"`, 63), strings.Repeat(`\`, 63), strings.Repeat("名", 21),
	}
}

func TestProbe_AwkwardPublication(t *testing.T) {
	t.Parallel()
	const state = `SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM t)`
	s := newSource(t, shared)
	s.exec("ALTER ROLE " + s.role() + " SET standard_conforming_strings = off")
	for _, name := range awkward() {
		s.target.Slot.PublicationName = name
		before := s.exec(state)
		if _, ok := entry(s.probe(), check.PublicationNotFound); !ok {
			t.Errorf("%q is found before it exists", name)
		}
		s.exec("CREATE PUBLICATION " + identifier(name) + " FOR TABLE t")
		report := s.probe()
		if failure, failed := report.FirstFailure(); failed {
			t.Errorf("%q: %s: %s", name, failure.Code, failure.Message)
		}
		s.exec("DROP PUBLICATION " + identifier(name))
		if after := s.exec(state); before != after {
			t.Fatalf("%q: the database changed from %s to %s", name, before, after)
		}
	}
}

func TestProbe_AwkwardPublicationFixes(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	for i, name := range awkward() {
		if i%3 != 0 { // each takes four probes
			continue
		}
		s.target.Slot.PublicationName = name
		// The first fix creates the publication after the slot and a change, which needs
		// the second.
		s.exec("INSERT INTO t SELECT coalesce(max(id), 0) + 1 FROM t")
		for _, code := range []string{string(check.PublicationNotFound), string(check.PublicationAfterSlot), ""} {
			c, failed := s.probe().FirstFailure()
			if string(c.Code) != code {
				t.Fatalf("%q: got %q, want %q: %s", name, c.Code, code, c.Message)
			}
			if failed {
				s.applyFinding(c)
			}
		}
		s.exec("DROP PUBLICATION " + identifier(name))
	}
}

func TestProbe_AwkwardTableFixes(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	schemas := map[string]bool{}
	for _, name := range awkward() {
		if !schemas[name] && !strings.HasPrefix(name, "pg_") {
			s.exec("CREATE SCHEMA " + identifier(name))
			s.exec("CREATE TABLE " + identifier(name) + "." + identifier(name) + " (id int)")
		}
		schemas[name] = true
	}
	s.exec(s.sql("DROP PUBLICATION %[1]s; CREATE PUBLICATION %[1]s FOR ALL TABLES"))
	for range 20 {
		fixes := 0
		for _, c := range s.probe() {
			if c.Code == check.TablesUnreadable || c.Code == check.ReplicaIdentityMissing {
				s.applyFinding(c)
				fixes++
			}
		}
		if fixes == 0 {
			return
		}
	}
	t.Error("the fixes do not end")
}

func TestProbe_AwkwardRoleAndDatabase(t *testing.T) {
	t.Parallel()
	for i, name := range awkward() {
		if i%4 != 0 { // a database takes time
			continue
		}
		s := newTargetSource(t, shared.Port())
		s.server, s.limit = shared, 0
		s.target.Endpoint.Database, s.target.Endpoint.Username = name, name
		s.prepare()
		s.exec(s.createSlot())
		t.Cleanup(s.dropSlot)
		s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
		s.exec("REVOKE SELECT ON t FROM " + s.role())
		for _, c := range s.probe() {
			if c.Fix != "" {
				s.applyFinding(c)
			}
		}
		if report := s.probe(); len(report.Warnings()) > 0 {
			t.Errorf("%q: %s", name, describe(report))
		} else if failure, failed := report.FirstFailure(); failed {
			t.Errorf("%q: %s: %s", name, failure.Code, failure.Message)
		}
	}
}

func TestQuote_ReadByServer(t *testing.T) {
	t.Parallel()
	conn := openSession(t, shared, "postgres", nil)
	for _, setting := range []string{"on", "off"} {
		mustDo(t, conn, "SET standard_conforming_strings = "+setting)
		for _, name := range awkward() {
			results, err := conn.Exec(t.Context(), "SELECT "+quote.Literal(name)+" AS "+quote.Identifier(name)).ReadAll()
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			if len(results) != 1 || string(results[0].Rows[0][0]) != name || results[0].FieldDescriptions[0].Name != name {
				t.Errorf("%q is read as literal %q and identifier %q", name, results[0].Rows[0][0], results[0].FieldDescriptions[0].Name)
			}
		}
	}
}
