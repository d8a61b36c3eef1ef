package probe_test

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// wantOnlyTablesUnchecked fails the test unless the tables are not checked, for that
// reason, and all else is.
func wantOnlyTablesUnchecked(t *testing.T, report check.Report, reason string) {
	t.Helper()
	for _, e := range report {
		switch {
		case e.Name == check.Tables && (e.Code != check.NotChecked || !strings.Contains(e.Message, reason)),
			e.Name != check.Tables && e.Name != check.Standby && e.Name != check.TLS && e.Status != check.Passed:
			t.Errorf("%s is %s (%s: %s)", e.Name, e.Status, e.Code, e.Message)
		}
	}
}

func TestProbe_LockedTable(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	lock := openSession(t, shared, s.target.Endpoint.Database, nil)
	mustDo(t, lock, "BEGIN")
	mustDo(t, lock, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
	if report := s.probe(); len(report.Codes()) > 0 {
		t.Error(describe(report))
	}
	if tables, report := s.tables(); len(tables) != 1 {
		t.Error(describe(report))
	}
}

func TestProbe_LockedCatalogs(t *testing.T) {
	t.Parallel()
	// Its own server: after a change to a shared catalog, which other tests make, the next
	// login opens every catalog and waits for the locked one without a limit.
	server := pgtest.Start(t, pgserver.Options{})
	for catalog, unchecked := range map[string][]string{
		"pg_publication":     {check.Publication, check.PublicationOrder, check.Tables},
		"pg_publication_rel": {check.PublicationOrder, check.Tables},
		"pg_inherits":        {check.Tables},
		"pg_depend":          {check.Tables},
	} {
		t.Run(catalog, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, server)
			lock := openSession(t, server, s.target.Endpoint.Database, nil)
			mustDo(t, lock, "BEGIN")
			mustDo(t, lock, "LOCK TABLE "+catalog+" IN ACCESS EXCLUSIVE MODE")
			report := s.probe()
			var got []string
			for _, e := range report {
				switch {
				case e.Code == check.NotChecked && strings.Contains(e.Message, "another session holds a lock"):
					got = append(got, e.Name)
				case e.Code != "":
					t.Errorf("%s: %s: %s", e.Name, e.Code, e.Message)
				}
			}
			if strings.Join(got, " ") != strings.Join(unchecked, " ") {
				t.Errorf("not checked are %v, want %v:%s", got, unchecked, describe(report))
			}
		})
	}
}

// TestProbe_UncheckedCreation has catalogs that the role may not read: whether what the
// request asks for has to be made is not known, so that it is refused.
func TestProbe_UncheckedCreation(t *testing.T) {
	t.Parallel()
	for catalog, name := range map[string]string{"pg_publication": check.Publication, "pg_replication_slots": check.ReplicationSlot} {
		t.Run(catalog, func(t *testing.T) {
			t.Parallel()
			s := bare(newSource(t, shared))
			s.exec("REVOKE SELECT ON " + catalog + " FROM PUBLIC")
			failure, failed := s.examine().Report.FirstFailure()
			if !failed || failure.Name != name || failure.Code != check.NotChecked {
				t.Errorf("%+v", failure)
			}
			s.target.Creation = database.Creation{}
			for _, e := range s.examine().Report {
				if e.Name == name && e.Status != check.Warned {
					t.Errorf("not asked for: %+v", e)
				}
			}
		})
	}
}

// TestProbe_ManyTables has more tables than the server can look at in the time that it
// has for them. That time is made short in proportion.
func TestProbe_ManyTables(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.exec("CREATE SEQUENCE n")
	for range 20 { // a transaction has locks for some thousand tables
		s.exec("DO $$ BEGIN FOR i IN 1..1000 LOOP EXECUTE format('CREATE TABLE %I (id int)', 'many_' || nextval('n')); END LOOP; END $$")
	}
	s.exec(s.sql("DROP PUBLICATION %[1]s; CREATE PUBLICATION %[1]s FOR ALL TABLES"))
	s.exec(s.dropSlotSQL())
	s.exec(s.createSlot())
	s.prober = prober(t)
	s.prober.Client.TablesTimeout = 20 * time.Millisecond
	wantOnlyTablesUnchecked(t, s.probe(), "did not finish in time")
}

// TestProbe_ServerBusyWithTables has a server that does not act on the limit of the
// statement about the tables.
func TestProbe_ServerBusyWithTables(t *testing.T) {
	t.Parallel()
	s := newSource(t, shared)
	s.target.Endpoint.Port = (&standIn{serve: withoutTables(s.server.Port())}).start(t).port
	s.target.Endpoint.SSL, s.limit = false, 4*time.Second
	begin := time.Now()
	report := s.probe()
	if took := time.Since(begin); took > s.limit {
		t.Errorf("it took %v", took)
	}
	for i, e := range report {
		// If slots of other tests lag, the order is open, and no session is left to try it.
		order := e.Code == check.PublicationAfterSlotSuspected && strings.Contains(e.Message, "busy with the tables")
		if e.Code == check.TLSNotUsed || order {
			report[i].Status = check.Passed
		}
	}
	wantOnlyTablesUnchecked(t, report, "the server did not answer in time")
}

// withoutTables forwards a connection without TLS to a server on this machine, up to the
// statement about the tables: what the server sends after the second transaction has
// begun is kept back.
func withoutTables(port int) func(net.Conn) {
	// The login, four messages around the first statement and itself, and three before
	// the second one.
	const answers = 1 + 5 + 3
	return func(client net.Conn) {
		server, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return
		}
		defer func() { _ = server.Close() }()
		go func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		}()
		for ready := 0; ready < answers; {
			header := make([]byte, 5) // a message's type and its length, which counts itself
			if _, err := io.ReadFull(server, header); err != nil {
				return
			}
			body := make([]byte, binary.BigEndian.Uint32(header[1:])-4)
			if _, err := io.ReadFull(server, body); err != nil {
				return
			}
			if _, err := client.Write(append(header, body...)); err != nil {
				return
			}
			if header[0] == 'Z' {
				ready++
			}
		}
		_, _ = io.Copy(io.Discard, server)
	}
}

// TestProbe_NameWithoutEncoding has a table whose name is not UTF-8, in a database that
// has no encoding.
func TestProbe_NameWithoutEncoding(t *testing.T) {
	t.Parallel()
	s := newTargetSource(t, shared.Port())
	s.server, s.limit = shared, 0
	s.admin("CREATE DATABASE " + s.database() + " ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	s.admin("CREATE ROLE " + s.role() + " LOGIN REPLICATION PASSWORD " + literal(password))
	s.exec("SET client_encoding = latin1; CREATE TABLE \"caf\xe9\" (id int); CREATE TABLE \"caf\u00e9\" (id int)")
	s.exec("CREATE PUBLICATION " + s.publication() + " FOR ALL TABLES")
	s.exec(s.createSlot())
	t.Cleanup(s.dropSlot)
	report := s.probe()
	for _, code := range []check.Code{check.TablesUnreadable, check.ReplicaIdentityMissing} {
		if found, ok := entry(report, code); !ok || !strings.Contains(found.Message, "caf") {
			t.Errorf("no %s in%s", code, describe(report))
		}
	}
	for _, e := range report {
		if e.Code != "" && strings.Contains(e.Message, "\ufffd") && (strings.HasPrefix(e.Fix, "ALTER ") || strings.HasPrefix(e.Fix, "GRANT ")) {
			t.Errorf("the fix %q can't name the table", e.Fix)
		}
	}
	if tables, report := s.tables(); len(tables) != 2 {
		t.Errorf("%d tables are listed:%s", len(tables), describe(report))
	}
}
