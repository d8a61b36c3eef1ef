package probe_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// TestDrop_Kept has slots and publications that may not be dropped.
func TestDrop_Kept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(s *source)
		source func(database.Source) database.Source
		code   check.Code
	}{
		"the slot is in use":              {change: startReading, code: check.SlotActive},
		"the slot has another plugin":     {change: func(s *source) { s.remake("'test_decoding'") }, code: check.SlotWrongPlugin},
		"the slot is physical":            {change: func(s *source) { s.remakePhysical() }, code: check.SlotNotLogical},
		"the slot is of another database": {change: func(s *source) { s.remakeElsewhere() }, code: check.SlotWrongDatabase},
		"the slot is on another server":   {source: func(database.Source) database.Source { return database.Source{SystemIdentifier: "1"} }, code: check.SlotNotFound},
		"the publication is somebody's":   {change: func(s *source) { s.exec(s.sql("ALTER PUBLICATION %[1]s OWNER TO postgres")) }, code: check.PublicationCreateDenied},
		"the role may not replicate":      {change: func(s *source) { s.admin("ALTER ROLE " + s.role() + " NOREPLICATION") }, code: check.ReplicationNotPermitted},
		"the password is not the role's":  {change: func(s *source) { s.target.Passwords.Main = "another" }, code: check.AuthenticationFailed},
		"nothing listens":                 {change: func(s *source) { s.target.Endpoint.Port = closedPort(s.t) }, code: check.ConnectionRefused},
		"the server does not say which it is": {change: func(s *source) {
			s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
			s.exec("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
		}, code: check.NotChecked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			s.exec(s.sql("ALTER PUBLICATION %[1]s OWNER TO %[2]s"))
			source := s.examine().Source
			if c.change != nil {
				c.change(s)
			}
			if c.source != nil {
				source = c.source(source)
			}
			both := database.Making{Publication: true, Slot: true}
			dropped, report := prober(t).Drop(t.Context(), s.target, source, both)
			wantDisplayable(t, report)
			if _, ok := entry(report, c.code); !ok || dropped != (database.Making{}) {
				t.Errorf("dropped %v:%s", dropped, describe(report))
			}
			if rest := s.rest(); rest != both {
				t.Errorf("there is %v", rest)
			}
		})
	}
}

func (s *source) remake(plugin string) {
	s.exec(s.dropSlotSQL())
	s.exec("SELECT pg_create_logical_replication_slot(" + s.slot() + ", " + plugin + ")")
}

func (s *source) remakePhysical() {
	s.exec(s.dropSlotSQL())
	s.exec("SELECT pg_create_physical_replication_slot(" + s.slot() + ")")
}

func (s *source) remakeElsewhere() {
	s.exec(s.dropSlotSQL())
	s.admin(s.createSlot())
}

// TestDrop_Invalidated has a slot that nothing can read.
func TestDrop_Invalidated(t *testing.T) {
	t.Parallel()
	if major() < 13 {
		return
	}
	s := lostSlot(t)
	if dropped, report := s.drop(database.Source{}, database.Making{Slot: true}); !dropped.Slot || s.rest().Slot {
		t.Errorf("dropped %v:%s", dropped, describe(report))
	}
}

// TestDrop_Statements runs what is printed twice, which drops the slot, and then the
// statement in its comment.
func TestDrop_Statements(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.target.Slot.PublicationName = "\u202ex\x03\"'"
	s.exec("CREATE PUBLICATION " + s.publication() + " FOR TABLE t")
	for range 2 {
		s.exec(prober(t).DropStatements(s.target))
		if rest := s.rest(); rest != (database.Making{Publication: true}) {
			t.Errorf("there is %v", rest)
		}
	}
	_, comment, _ := strings.Cut(prober(t).DropStatements(s.target), " -- then ")
	statement, _, _ := strings.Cut(comment, ", unless")
	s.exec(statement)
	if rest := s.rest(); rest != (database.Making{}) {
		t.Errorf("after %s there is %v", statement, rest)
	}
	s.target.Slot.PublicationName = ""
	if sql := prober(t).DropStatements(s.target); strings.Contains(sql, "PUBLICATION") {
		t.Errorf("%q", sql)
	}
}

// TestDrop_StatementsKeep runs what is printed where the slot of that name may be
// somebody else's.
func TestDrop_StatementsKeep(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*source){
		"the slot is in use":              startReading,
		"the slot has another plugin":     func(s *source) { s.remake("'test_decoding'") },
		"the slot is physical":            func(s *source) { s.remakePhysical() },
		"the slot is of another database": func(s *source) { s.remakeElsewhere() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, shared)
			change(s)
			s.exec(prober(t).DropStatements(s.target))
			if !s.rest().Slot {
				t.Error("the slot is gone")
			}
		})
	}
}

// TestDrop_Gone drops what does not exist, wholly or in part.
func TestDrop_Gone(t *testing.T) {
	t.Parallel()
	both := database.Making{Publication: true, Slot: true}
	s := newSource(t, shared)
	s.exec(s.sql("ALTER PUBLICATION %[1]s OWNER TO %[2]s"))
	source := s.examine().Source
	for _, want := range []database.Making{{Slot: true}, {Publication: true}, {}} {
		m := both
		if want.Slot {
			m = want
		}
		if dropped, report := s.drop(source, m); dropped != want || len(report) > 0 {
			t.Errorf("dropped %v, want %v:%s", dropped, want, describe(report))
		}
	}
}

// TestProbe_Source has roles to which the function for the system identifier is closed.
func TestProbe_Source(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	open := s.examine()
	s.exec("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
	closed := s.examine()
	want := s.admin("SELECT system_identifier FROM pg_control_system()")
	if open.Source.SystemIdentifier != want || closed.Source.SystemIdentifier != want || len(closed.Report.Codes()) > 0 {
		t.Errorf("%v, and %v where the function is closed, want %s:%s", open.Source, closed.Source, want, describe(closed.Report))
	}
}
