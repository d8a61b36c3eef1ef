package probe_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// creationFindings returns the codes of what can't be made.
func creationFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.PublicationCreateDenied: {check.Publication, check.Failed, []state{
			{cause: "all tables, and the role is no superuser", fix: sql, setup: bareWith(func(s *source) { s.target.Creation.Publication.Tables = nil })},
			{cause: "the tables of a schema", fix: sql, minMajor: 15, setup: bareWith(func(s *source) {
				s.target.Creation.Publication.Tables, s.target.Creation.Publication.Schemas = nil, []string{"public"}
			})},
			{cause: "a table of another owner", fix: sql, setup: bareWith(func(s *source) { s.exec("ALTER TABLE t OWNER TO postgres") })},
			{cause: "no CREATE on the database", fix: sql, setup: bareWith(func(s *source) {
				s.exec("REVOKE CREATE ON DATABASE " + s.database() + " FROM " + s.role())
			})},
			{cause: "a trigger on events refuses it", setup: bareWith(func(s *source) {
				s.makes = true
				s.exec("CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not today''; END'")
				s.exec("CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE PUBLICATION') EXECUTE FUNCTION refuse()")
			})},
			{cause: "a table is locked", fix: advice, setup: bareWith(func(s *source) {
				s.makes = true
				locker := openSession(s.t, s.server, s.target.Endpoint.Database, nil)
				mustDo(s.t, locker, "BEGIN; LOCK TABLE t IN SHARE MODE")
				s.release = func() { mustDo(s.t, locker, "COMMIT") }
			}), repair: func(s *source) { s.release() }},
		}},
		check.PublicationCreateUnsafe: {check.Publication, check.Failed, []state{
			{cause: "a table without a key", fix: sql, setup: bareWith(func(s *source) { s.exec("ALTER TABLE t DROP CONSTRAINT t_pkey") })},
			{cause: "a partition without a key", fix: sql, minMajor: 13, setup: bareWith(func(s *source) {
				s.exec("CREATE TABLE parted (id int) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10)")
				s.exec("ALTER TABLE parted OWNER TO " + s.role() + "; ALTER TABLE part OWNER TO " + s.role())
				s.name("t", "parted")
			})},
			{cause: "a table without a key among all tables", fix: sql, setup: bareWith(func(s *source) {
				s.admin("ALTER ROLE " + s.role() + " SUPERUSER")
				s.exec("CREATE TABLE keyless (id int)")
				s.target.Creation.Publication.Tables = nil
			})},
			{cause: "a key with a generated column, and another one", fix: sql, minMajor: 18, setup: bareWith(func(s *source) {
				s.exec("CREATE TABLE derived (id int NOT NULL UNIQUE, twice int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY)")
				s.exec("ALTER TABLE derived OWNER TO " + s.role())
				s.name("derived")
			})},
			{cause: "a key with a generated column", fix: advice, minMajor: 18, says: "without generated columns", setup: bareWith(func(s *source) {
				s.exec("CREATE TABLE derived (id int, twice int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY)")
				s.exec("ALTER TABLE derived OWNER TO " + s.role())
				s.name("derived")
			}), repair: func(s *source) { s.exec("ALTER TABLE derived DROP COLUMN twice, ADD PRIMARY KEY (id)") }},
		}},
		check.SlotCreateDenied: {check.ReplicationSlot, check.Failed, []state{
			{cause: "EXECUTE is revoked", fix: sql, setup: bareWith(func(s *source) { s.exec(revokeSlots) })},
			{cause: "EXECUTE is revoked, and the role quotes all names", fix: sql, setup: bareWith(func(s *source) {
				s.exec(revokeSlots)
				s.admin("ALTER ROLE " + s.role() + " SET quote_all_identifiers = on")
			})},
			{cause: "EXECUTE on the lock is revoked", fix: sql, says: "by pg_advisory_lock", setup: bareWith(func(s *source) {
				s.makes = true
				s.exec("REVOKE EXECUTE ON FUNCTION pg_advisory_lock(int, int) FROM PUBLIC")
			})},
		}},
		check.SlotCreateBlocked: {check.ReplicationSlot, check.Failed, []state{
			{cause: "a transaction that has written is open", fix: advice, says: "it waits for an open transaction that has written: PID ", setup: func(t *testing.T) *source {
				s := bare(newSource(t, pgtest.Start(t, pgserver.Options{})))
				writer := openSession(t, s.server, "postgres", nil)
				mustDo(t, writer, "BEGIN; CREATE TABLE in_another_database (id int)")
				s.makes, s.limit = true, 6*time.Second
				s.release = func() { mustDo(t, writer, "ROLLBACK") }
				return s
			}, repair: func(s *source) { s.release() }},
		}},
	}
}

// iamFindings returns the codes of logins by IAM.
func iamFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.IAMReplicationOff: {check.Authentication, check.Failed, []state{
			{cause: "tokens are for ordinary sessions only", fix: advice, setup: func(t *testing.T) *source {
				s := newSource(t, shared)
				s.target.Endpoint.Port = (&standIn{serve: rejectReplication(serverTLS(t), shared.Port())}).start(t).port
				s.target.Endpoint.Authentication = database.AuthenticationRDSIAM
				return s
			}},
		}},
	}
}

// rejectReplication rejects walsenders as a method of pg_hba.conf does that is not a
// password of the server's own, and forwards other sessions to a server on this machine.
func rejectReplication(config *tls.Config, port int) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := pgproto3.NewBackend(conn, conn).ReceiveStartupMessage(); err != nil {
			return
		}
		if _, err := conn.Write([]byte("S")); err != nil {
			return
		}
		client := tls.Server(conn, config)
		b, startup, err := acceptStartup(client)
		if err != nil {
			return
		}
		if startup.Parameters["replication"] != "" {
			_ = b.send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: "PAM authentication failed", Routine: "auth_failed"})
			return
		}
		if start, err := startup.Encode(nil); err == nil {
			forwardAfter(client, port, start)
		}
	}
}

// bareWith returns a setup of a source that lacks its publication and its slot, after a
// change.
func bareWith(change func(s *source)) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		s := bare(newSource(t, shared))
		change(s)
		return s
	}
}

// name makes the request name tables of the schema public.
func (s *source) name(tables ...string) {
	s.target.Creation.Publication.Tables = nil
	for _, name := range tables {
		s.target.Creation.Publication.Tables = append(s.target.Creation.Publication.Tables, database.TableName{Schema: "public", Name: name})
	}
}

// TestProbe_RefusedCreation makes nothing of a request that is refused, and has no
// failures other than the one.
func TestProbe_RefusedCreation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(s *source)
		says   string
	}{
		"the tables that the role could name": {
			func(s *source) { s.target.Creation.Publication.Tables = nil },
			`It could name tables that it owns, in "tables": "public"."t"`,
		},
		"schemas that can't be published": {func(s *source) {
			s.target.Creation.Publication.Tables, s.target.Creation.Publication.Schemas = nil, []string{"nowhere"}
		}, "needs a superuser"},
		"all tables of other owners": {func(s *source) {
			s.exec("CREATE TABLE a (id int PRIMARY KEY)")
			s.exec("CREATE TABLE b (id int PRIMARY KEY)")
			s.name("b", "t", "a")
		}, `does not own "public"."a", "public"."b"; run`},
		"a child of another owner": {func(s *source) { s.exec("CREATE TABLE child (PRIMARY KEY (id)) INHERITS (t)") }, `does not own "public"."child"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bareWith(c.change)(t)
			x := s.examine()
			found, ok := entry(x.Report, check.PublicationCreateDenied)
			misnamed := len(x.Fields) > 0 // which is a finding too, and leaves open what could be named in their place
			if !ok || len(x.Report.Codes()) != 1 && !misnamed || !strings.Contains(found.Message, c.says) || misnamed && strings.Contains(found.Message, "owns no table") {
				t.Error(describe(x.Report))
			}
			if _, report := prober(t).Make(t.Context(), s.target, x.Missing); len(report) == 0 || s.rest() != (database.Making{}) {
				t.Errorf("made %v:%s", s.rest(), describe(report))
			}
		})
	}
}
