package probe_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/ask"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/judge"
	"github.com/headgate/headgate/internal/redact"
)

// wantDisplayable fails the test if a text of the report could be taken for another
// one, or moves a terminal's cursor.
func wantDisplayable(t *testing.T, report check.Report) {
	t.Helper()
	for _, e := range report {
		for _, r := range e.Message + e.Fix {
			if !redact.Displayable(r) {
				t.Errorf("%s has %U: %q, %q", e.Code, r, e.Message, e.Fix)
				break
			}
		}
	}
}

// answerWith returns an answer to the statement, in which each fact that is a text
// holds text. The sound facts of a name are left away.
func answerWith(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(`{"server":{"version":170001,"in_recovery":true,"database":$,"role":$,"session_role":$,"backend_type":$},
"settings":{"wal_level":{"value":$,"source":$,"context":$},"hot_standby_feedback":{"value":$},"max_wal_senders":{"value":$},"ssl":{"value":"on"}},
"identity":$,"publication":{"found":{"age":10,"pubupdate":true}},
"slot":{"found":{"plugin":$,"slot_type":$,"database":$,"wal_status":$,"restart_lsn":$,"confirmed_flush_lsn":$,"invalidation_reason":$}},
"replication slots":{"in_use":3,"standbys":[{"name":$}]},
"tables":{"count":9,"closed":[{"name":[$],"owner":$}],"unreadable":[{"name":[$,$],"owner":$}],"troubles":[{"name":[$,$],"owner":$,"kind":$}],
"totals":{"unreadable":1,"missing":1}}}`, "$", string(quoted))
}

// forms returns the encodings in which a server repeats a password.
func forms(p string) map[string]string {
	return map[string]string{
		"raw": p, "within a text": "no: " + p + "!", "upper case": strings.ToUpper(p), "reversed": reverse(p), "JSON": strconv.Quote(p),
		"SQL": identifier(p), "literal": literal(p), "query": url.QueryEscape(p), "path": url.PathEscape(p), "hex": hex.EncodeToString([]byte(p)),
		"bytea": fmt.Sprintf(`\x%X`, p), "spaced hex": fmt.Sprintf("% x", p), "base64": base64.StdEncoding.EncodeToString([]byte(p)),
		"base64 of more": base64.URLEncoding.EncodeToString([]byte("user:" + p)), "after much else": strings.Repeat("x", 295) + p,
	}
}

func reverse(s string) string {
	var b strings.Builder
	for i := len(s) - 1; i >= 0; i-- {
		b.WriteByte(s[i])
	}
	return b.String()
}

// TestSafety_RepeatedPassword has a server that repeats the password in its facts.
func TestSafety_RepeatedPassword(t *testing.T) {
	t.Parallel()
	const needle = `n33dle'"\/ +Q`
	for name, form := range forms(needle) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := newTarget(1, 5432)
			target.Passwords.Main = needle
			for _, primary := range []bool{false, true} {
				if primary {
					target.Passwords.Main, target.Passwords.Primary = "another password", needle
				}
				report, err := judgeAnswer(target, []byte(answerWith(t, form)))
				if err != nil {
					t.Fatal(err)
				}
				text := describe(report)
				if strings.Contains(text, form) || strings.Contains(text, "n33dle") || strings.Contains(text, "eld33n") {
					t.Errorf("the password is in%s", text)
				}
				if _, failed := report.FirstFailure(); !failed {
					t.Errorf("no failure in%s", text)
				}
			}
		})
	}
}

// TestSafety_RepeatedPasswordInErrors has a server that repeats the password in every
// field of its errors, and in its notices.
func TestSafety_RepeatedPasswordInErrors(t *testing.T) {
	t.Parallel()
	const needle = "QZ7KX" // has the form of a SQLSTATE
	for _, form := range []string{needle, "no: " + needle, strings.Repeat("x", 590) + "." + needle} {
		serve := afterQuery(func(b *backend) {
			for {
				failure := &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: form, Code: form, Message: form, Detail: form, Hint: form, Routine: form}
				if b.send(failure, &pgproto3.ReadyForQuery{TxStatus: 'I'}) != nil {
					return
				}
				if _, err := b.Receive(); err != nil {
					return
				}
			}
		})
		s := servedBy(serve)(t)
		s.target.Passwords.Main = needle
		if report := s.probe(); strings.Contains(describe(report), needle) {
			t.Errorf("%q is in%s", needle, describe(report))
		}
	}
}

// TestSafety_NameThatIsThePassword has a weak password, which hides no finding.
func TestSafety_NameThatIsThePassword(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	name := s.target.Endpoint.Username
	s.admin("ALTER ROLE " + s.role() + " NOREPLICATION PASSWORD " + literal(name))
	s.target.Passwords.Main = database.Password(name)
	found, ok := entry(s.probe(), check.ReplicationNotPermitted)
	if !ok || !strings.Contains(found.Fix, s.role()) {
		t.Errorf("fix %q", found.Fix)
	}
}

// TestSafety_FactsAreDecodedApart has a server that rejects the statement, and then
// answers one part with another one that is huge.
func TestSafety_FactsAreDecodedApart(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("r", 400_000)
	answers := []string{
		`{"server":{"version":160001,"database":"d","role":"r","session_role":"r","backend_type":"client backend"}}`,
		`{"publication":{"found":{"age":10}},"server":{"role":"` + huge + `","session_role":"` + huge + `"}}`,
	}
	serve := afterQuery(func(b *backend) {
		if b.send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000", Message: "no"}, &pgproto3.ReadyForQuery{TxStatus: 'T'}) != nil {
			return
		}
		for i := 0; ; i++ {
			if b.receiveStatement() != nil || b.answerQuery(answers[min(i, len(answers)-1)]) != nil {
				return
			}
		}
	})
	report := servedBy(serve)(t).probe()
	if size := len(describe(report)); size > 16<<10 || strings.Contains(describe(report), "rrr") {
		t.Errorf("the report has %d bytes", size)
	}
}

// TestSafety_FactsOfOtherParts answers a part with more than was asked for, or with what
// can't be taken over.
func TestSafety_FactsOfOtherParts(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("r", 400_000)
	for name, answer := range map[string]string{
		"another part":            `{"publication":{"found":{"age":10}},"server":{"role":"other"},"slot":{"found":{"plugin":"other"}}}`,
		"another part, malformed": `{"publication":{"found":{"age":10}},"server":{"role":"other"`,
		"the part, huge":          `{"publication":{"found":{"age":10,"owner":"` + huge + `"}},"server":{"role":"other"}}`,
		"another part alone":      `{"server":{"role":"other"}}`,
	} {
		f := facts.Facts{Server: &facts.Server{Role: "mine"}}
		if err := ask.Decode(&f, []byte(answer), []facts.Part{facts.PartPublication}); (err == nil) != (name == "another part") {
			t.Errorf("%s: error %v", name, err)
		}
		if f.Server.Role != "mine" || f.Slot != nil || (f.Publication != nil) != (name == "another part") {
			t.Errorf("%s: %+v is taken over", name, f)
		}
	}
}

func TestSafety_FactsAreBounded(t *testing.T) {
	t.Parallel()
	report, err := judgeAnswer(newTarget(1, 5432), []byte(answerWith(t, strings.Repeat("r", 400_000))))
	if err == nil || strings.Contains(describe(report), "rrr") {
		t.Errorf("error %v in%.2000s", err, describe(report))
	}
	for name, answer := range map[string]string{
		"settings": `{"server":{"version":160001},"settings":{` + manyMembers(1000) + `},"publication":{},"slot":{}}`,
		"waits":    `{"server":{"version":160001},"settings":{},"publication":{},"slot":{"found":{"waits_for":[` + strings.Repeat("1,", 1000) + `1]}}}`,
		"standbys": `{"server":{"version":160001},"settings":{},"publication":{},"slot":{},"replication slots":{"standbys":[` + strings.Repeat(`{},`, 1000) + `{}]}}`,
	} {
		if _, err := judgeAnswer(newTarget(1, 5432), []byte(answer)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSafety_FixOfFunction has a server that names the function for making slots in a way
// that a fix would run.
func TestSafety_FixOfFunction(t *testing.T) {
	t.Parallel()
	const name = "pg_create_logical_replication_slot"
	for function, fixed := range map[string]bool{
		name + "(name,name,boolean)":                  true,
		name + "(name, name, boolean, boolean)":       true,
		name + "(name) TO public; DROP TABLE t; --)":  false,
		name + "(name)\\! touch /tmp/x)":              false,
		name + "(name) TO cdc":                        false,
		"pg_read_file(text)":                          false,
		name + "(name,\"a b\")":                       false,
		strings.ToUpper(name) + "(name,name,boolean)": false,
	} {
		target := newTarget(1, 5432)
		target.Creation.Slot = true
		e := facts.Evidence{Reached: facts.LoggedIn, Facts: facts.Facts{
			Server: &facts.Server{Version: 170001, SessionRole: "cdc"}, Slot: &facts.Lookup[facts.Slot]{}, NewSlot: &facts.NewSlot{Function: function},
		}}
		found, ok := entry(judge.Report(target, e, nil), check.SlotCreateDenied)
		if want := `GRANT EXECUTE ON FUNCTION pg_catalog.` + function + ` TO "cdc"`; !ok || strings.HasPrefix(found.Fix, want) != fixed || (found.Fix == "") == fixed {
			t.Errorf("%s: %v %q", function, ok, found.Fix)
		}
	}
}

// TestSafety_RepeatedPasswordInHealth has passwords in the forms of the slot's state.
func TestSafety_RepeatedPasswordInHealth(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"DEADBEEF/CAFE1234", "8675309123", "2026-11-26T01:02:03Z", "nothing"} {
		target := newTarget(1, 5432)
		target.Passwords.Main = database.Password(password)
		lsn, retained, since := "DEADBEEF/CAFE1234", int64(8675309123), "2026-11-26T01:02:03Z"
		e := facts.Evidence{Reached: facts.LoggedIn, Facts: facts.Facts{
			Server: &facts.Server{Version: 170001},
			Slot:   &facts.Lookup[facts.Slot]{Found: &facts.Slot{ConfirmedFlushLSN: &lsn, Retained: &retained, InactiveSince: &since}},
		}}
		report, state := judge.Health(target, e, nil, database.DefaultHealthLimits())
		text, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text)+describe(report), password) || (state == database.SlotState{}) != (password != "nothing") {
			t.Errorf("%s: %s in%s", password, text, describe(report))
		}
	}
}

func manyMembers(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"s%d":{"value":"x"}`, i)
	}
	return strings.Join(members, ",")
}

// TestSafety_ReportSize has names that take the most room in a response.
func TestSafety_ReportSize(t *testing.T) {
	t.Parallel()
	for _, name := range []string{strings.Repeat(`"`, 512), strings.Repeat(`\`, 512), strings.Repeat("\x01", 512), strings.Repeat("\u202e", 170), strings.Repeat("<", 512)} {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		one := fmt.Sprintf(`{"name":[%[1]s],"owner":%[1]s}`, quoted)
		pair := fmt.Sprintf(`{"name":[%[1]s,%[1]s],"owner":%[1]s,"kind":"missing"}`, quoted)
		list := func(element string) string { return "[" + strings.Repeat(element+",", 19) + element + "]" }
		answer := fmt.Sprintf(`{"server":{"version":170001,"database":%[1]s,"role":%[1]s,"session_role":%[1]s,"backend_type":"walsender"},"settings":{"wal_level":{"value":"logical"}},
"publication":{"found":{"age":10,"pubupdate":true,"pubdelete":true}},"slot":{"found":{"plugin":"pgoutput","slot_type":"logical","database":%[1]s,"restart_lsn":"0/1","confirmed_flush_lsn":"0/1"}},
"tables":{"count":100,"closed":%[2]s,"unreadable":%[3]s,"troubles":%[3]s,"totals":{"unreadable":20,"missing":20}}}`, quoted, list(one), list(pair))
		report, err := judgeAnswer(newTarget(1, 5432), []byte(answer))
		if err != nil {
			t.Fatal(err)
		}
		if size := check.SentSize(report); size > check.MaxReport || len(report.Warnings()) < 10 {
			t.Errorf("%.10q: %d warnings, %d bytes", name, len(report.Warnings()), size)
		}
		if !strings.Contains(describe(report), "left out") && !strings.Contains(describe(report), "too long") {
			t.Errorf("%.10q: nothing says that something is cut", name)
		}
		wantDisplayable(t, report)
	}
}

// TestSafety_FixInPsql pastes the fix for a table whose name ends the line and calls a
// command of psql's.
func TestSafety_FixInPsql(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	directory, err := os.MkdirTemp("", "x") // t.TempDir is longer than a name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	proof := filepath.Join(directory, "x")
	name := "x\x03\n\\! touch " + proof + "\n\u202e\\\"'"
	s.exec("CREATE TABLE " + identifier(name) + " (id int)")
	s.exec(s.sql("ALTER PUBLICATION %[1]s ADD TABLE ") + identifier(name))
	report := s.probe()
	for _, code := range []check.Code{check.TablesUnreadable, check.ReplicaIdentityMissing} {
		found, ok := entry(report, code)
		if !ok {
			t.Fatalf("no %s in%s", code, describe(report))
		}
		s.paste(found.Fix)
	}
	if _, err := os.Stat(proof); err == nil {
		t.Error("the name was executed")
	}
	if report := s.probe(); len(report.Warnings()) > 0 {
		t.Errorf("after the fixes:%s", describe(report))
	}
}

// paste runs SQL in psql as the superuser, in the source's database. Server programs from
// npm come without psql: any other will do, and without one the protocol.
func (s *source) paste(sql string) {
	s.t.Helper()
	program := filepath.Join(s.server.Installation().BinDir, "psql")
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("psql"); err != nil {
			s.exec(sql)
			return
		}
	}
	psql := exec.CommandContext(s.t.Context(), program, "-X", "-v", "ON_ERROR_STOP=1",
		"-h", s.server.SocketDirectory(), "-p", strconv.Itoa(s.server.Port()), "-U", "postgres", "-d", s.target.Endpoint.Database)
	psql.Stdin = strings.NewReader(sql + "\n;\n")
	if out, err := psql.CombinedOutput(); err != nil {
		s.t.Errorf("%s: %v: %s", sql, err, out)
	}
}

// TestSafety_NamesInTheServersFile has a role whose name a line of pg_hba.conf can't show.
func TestSafety_NamesInTheServersFile(t *testing.T) {
	t.Parallel()
	serve := func(conn net.Conn) {
		if b, _, err := acceptStartup(conn); err == nil {
			_ = b.send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: `no entry in pg_hba.conf`, Routine: "ClientAuthentication"})
		}
	}
	s := servedBy(serve)(t)
	s.target.Endpoint.Username = "cdc\u202e\u200b"
	found, ok := entry(s.probe(), check.ConnectionNotPermitted)
	if !ok || !strings.Contains(found.Fix, `"<the role>"`) || !strings.Contains(found.Message, `U&"cdc\202E\200B"`) {
		t.Errorf("%q, fix %q", found.Message, found.Fix)
	}
}
