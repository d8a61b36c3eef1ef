package probe_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// publicationFindings returns the codes of the publication check.
func publicationFindings() map[check.Code]finding {
	return map[check.Code]finding{
		check.PublicationNotFound: {check.Publication, check.Failed, []state{
			{cause: "never created", fix: sql, setup: afterSQL("DROP PUBLICATION %[1]s")},
			{cause: "the database's encoding lacks a character of its name", fix: advice, setup: func(t *testing.T) *source {
				s := newSource(t, shared)
				s.dropSlot()
				s.admin("ALTER DATABASE " + s.database() + " RENAME TO " + identifier(s.target.Endpoint.Database+" first"))
				s.admin("CREATE DATABASE " + s.database() + " ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
				s.exec(`CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO ` + s.role() + `; CREATE PUBLICATION u FOR TABLE t`)
				s.exec(s.createSlot())
				s.target.Slot.PublicationName = "\u5b57"
				return s
			}, repair: func(s *source) { s.target.Slot.PublicationName = "u" }},
			{cause: "it is in another database", fix: sql, setup: sourceWith(func(s *source) {
				s.exec("DROP PUBLICATION " + s.publication())
				other := newSource(s.t, s.server)
				s.target.Slot.PublicationName = "elsewhere"
				other.exec("CREATE PUBLICATION elsewhere FOR ALL TABLES")
			})},
		}},
		check.PublicationEmpty: {check.Publication, check.Warned, []state{
			{cause: "it has no tables", fix: sql, setup: afterSQL("ALTER PUBLICATION %[1]s DROP TABLE t")},
			{cause: "it has no tables, and none has a primary key", fix: advice, says: "lacks a replica identity", setup: afterSQL("DROP TABLE t; CREATE TABLE t (id int); GRANT SELECT ON t TO %[2]s"), repair: func(s *source) {
				s.exec("ALTER TABLE t ADD PRIMARY KEY (id)")
				s.exec("ALTER PUBLICATION " + s.publication() + " ADD TABLE t")
			}},
			{cause: "it has no tables, and the only one is unlogged", fix: advice, says: "SET LOGGED", setup: afterSQL("ALTER PUBLICATION %[1]s DROP TABLE t; ALTER TABLE t SET UNLOGGED"), repair: func(s *source) {
				s.exec("ALTER TABLE t SET LOGGED")
				s.exec("ALTER PUBLICATION " + s.publication() + " ADD TABLE t")
			}},
			{
				cause: "its table has no partitions", fix: advice, minMajor: 13, says: "CREATE TABLE … PARTITION OF", setup: afterSQL(
					"CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id); GRANT SELECT ON parted TO %[2]s; ALTER PUBLICATION %[1]s SET TABLE parted"),
				repair: func(s *source) {
					s.exec(s.sql("CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10); GRANT SELECT ON part TO %[2]s"))
				},
			},
			{
				cause: "it has all tables, and there is none", fix: advice, setup: afterSQL("DROP TABLE t; DROP PUBLICATION %[1]s; CREATE PUBLICATION %[1]s FOR ALL TABLES"),
				repair: func(s *source) { s.exec("CREATE TABLE t (id int PRIMARY KEY)") },
			},
			{
				cause: "it has all tables, and they are unlogged", fix: advice, says: "SET LOGGED", setup: afterSQL("DROP PUBLICATION %[1]s; ALTER TABLE t SET UNLOGGED; CREATE PUBLICATION %[1]s FOR ALL TABLES"),
				repair: func(s *source) { s.exec("ALTER TABLE t SET LOGGED") },
			},
			{cause: "its schema has no tables", fix: sql, minMajor: 15, setup: afterSQL(
				"CREATE SCHEMA bare; ALTER PUBLICATION %[1]s DROP TABLE t; ALTER PUBLICATION %[1]s ADD TABLES IN SCHEMA bare")},
		}},
		check.PublicationOperationsMissing: {check.Publication, check.Warned, []state{
			{cause: "inserts only", fix: sql, setup: afterSQL("ALTER PUBLICATION %[1]s SET (publish = 'insert')")},
			{cause: "no truncate", fix: sql, setup: afterSQL("ALTER PUBLICATION %[1]s SET (publish = 'insert, update, delete')")},
		}},
		check.PublicationNotViaRoot: {check.Publication, check.Warned, []state{
			{cause: "a partitioned table", fix: sql, minMajor: 13, setup: afterSQL(partitioned + "; ALTER PUBLICATION %[1]s ADD TABLE parted")},
			{cause: "all tables, one of them partitioned", fix: sql, minMajor: 13, setup: afterSQL(partitioned +
				"; DROP PUBLICATION %[1]s; CREATE PUBLICATION %[1]s FOR ALL TABLES")},
		}},
	}
}

// partitioned creates a table with a partition, and with a partition that has one.
const partitioned = `CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE middle PARTITION OF parted FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
CREATE TABLE leaf PARTITION OF middle FOR VALUES FROM (10) TO (20);
GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC`

// afterSQL returns a setup of a source after SQL in one transaction. %[1]s is the
// publication, %[2]s the role, and %[3]s the slot's name.
func afterSQL(format string) func(t *testing.T) *source {
	return sourceWith(func(s *source) { s.exec(s.sql(format)) })
}

func (s *source) sql(format string) string {
	return strings.NewReplacer("%[1]s", s.publication(), "%[2]s", s.role(), "%[3]s", s.slot()).Replace(format)
}

// orderFindings returns the codes of the publication_order check.
func orderFindings() map[check.Code]finding {
	remade := "DROP PUBLICATION %[1]s; INSERT INTO t VALUES (1); CREATE PUBLICATION %[1]s FOR TABLE t"
	return map[check.Code]finding{
		check.PublicationAfterSlot: {check.PublicationOrder, check.Failed, []state{
			{cause: "made after a change", fix: sql, setup: afterStatements("DROP PUBLICATION %[1]s", "SELECT pg_drop_replication_slot(%[3]s)",
				"SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput')", "INSERT INTO t VALUES (1)", "CREATE PUBLICATION %[1]s FOR TABLE t")},
			{cause: "recreated with a change between", fix: sql, setup: afterStatements("INSERT INTO t VALUES (1)", "DROP PUBLICATION %[1]s",
				"INSERT INTO t VALUES (2)", "CREATE PUBLICATION %[1]s FOR TABLE t", "INSERT INTO t VALUES (3)")},
			{cause: "recreated in one transaction with a change", fix: sql, setup: afterStatements("INSERT INTO t VALUES (9)", remade)},
			{cause: "made after many changes of other tables", fix: sql, setup: afterStatements("DROP PUBLICATION %[1]s",
				"CREATE TABLE u AS SELECT generate_series(1, 2000)", "UPDATE u SET generate_series = 1", "CREATE PUBLICATION %[1]s FOR TABLE t")},
		}},
		check.DecodingFailed: {check.PublicationOrder, check.Failed, []state{
			{cause: "a row filter divides by zero", fix: sql, minMajor: 15, setup: afterStatements(
				"ALTER PUBLICATION %[1]s SET TABLE t WHERE (100 / id > 1)", "INSERT INTO t VALUES (0)")},
			{cause: "a row filter that is older than the slot", fix: sql, minMajor: 15, setup: afterStatements(
				"ALTER PUBLICATION %[1]s SET TABLE t WHERE (100 / id > 1)", dropSlot, "SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput')", "INSERT INTO t VALUES (0)")},
		}},
		check.PublicationAfterSlotSuspected: {check.PublicationOrder, check.Warned, []state{
			{cause: "changed while the slot is being read", setup: sourceWith(func(s *source) {
				startReading(s)
				s.exec(s.sql(altered))
			})},
			{cause: "a pooler on the way", otherFailures: true, setup: func(t *testing.T) *source {
				s := pooled(poolerParameters)(t)
				s.exec(s.sql(altered))
				return s
			}},
			{cause: "a role that may not read the slot", otherFailures: true, setup: sourceWith(func(s *source) {
				s.admin("ALTER ROLE " + s.role() + " NOREPLICATION")
				s.exec(s.sql(altered))
			})},
		}},
	}
}

// afterStatements is afterSQL with a transaction for each statement.
func afterStatements(formats ...string) func(t *testing.T) *source {
	return sourceWith(func(s *source) {
		for _, f := range formats {
			s.exec(s.sql(f))
		}
	})
}

// startReading starts a reader of the slot that ends with the test.
func startReading(s *source) {
	s.t.Helper()
	startStreaming(s, " (proto_version '1', publication_names "+literal(s.publication())+")")
}

// startStreaming starts a reader of the slot, with options of its plugin, that ends
// with the test.
func startStreaming(s *source, options string) {
	s.t.Helper()
	reader := openSession(s.t, s.server, s.target.Endpoint.Database, map[string]string{"replication": "database"})
	send(s.t, reader, "START_REPLICATION SLOT "+s.target.Slot.SlotName+" LOGICAL 0/0"+options)
	if _, err := reader.Frontend().Receive(); err != nil {
		s.t.Fatal(err)
	}
}

func TestProbe_HarmlessOrder(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string]func(t *testing.T) *source{
		"recreated with no change between": afterStatements("INSERT INTO t VALUES (1)", "DROP PUBLICATION %[1]s; CREATE PUBLICATION %[1]s FOR TABLE t"),
		"made after with no change before": afterStatements("SELECT pg_drop_replication_slot(%[3]s)", "DROP PUBLICATION %[1]s",
			"SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput')", "CREATE PUBLICATION %[1]s FOR TABLE t", "INSERT INTO t VALUES (1)"),
		"another slot lags, and this one is being read": func(t *testing.T) *source {
			s := newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{"autovacuum": "off"}}))
			s.exec("SELECT pg_create_logical_replication_slot('lagging', 'pgoutput')")
			for _, sql := range []string{dropSlot, "DROP PUBLICATION %[1]s", "INSERT INTO t VALUES (1)", "CREATE PUBLICATION %[1]s FOR TABLE t", "SELECT pg_create_logical_replication_slot(%[3]s, 'pgoutput')"} {
				s.exec(s.sql(sql))
			}
			startReading(s)
			return s
		},
		"changed after": afterStatements("INSERT INTO t VALUES (1)", "ALTER PUBLICATION %[1]s SET (publish = 'insert, update, delete, truncate')", "INSERT INTO t VALUES (2)"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			before := s.confirmed()
			report := s.probe()
			if got := status(report, check.PublicationOrder); got != check.Passed {
				t.Errorf("the order is %s:%s", got, describe(report))
			}
			if after := s.confirmed(); before != after {
				t.Errorf("the slot moved from %s to %s", before, after)
			}
		})
	}
}

// confirmed returns the slot's confirmed position and whether it is active. A peek may
// advance restart_lsn, but not beyond that position.
func (s *source) confirmed() string {
	return s.admin("SELECT confirmed_flush_lsn, active FROM pg_replication_slots WHERE slot_name = " + s.slot())
}

// TestPostgres_WALOfAPublication holds what the order is judged by: how much WAL the
// creation of a publication takes at the least.
func TestPostgres_WALOfAPublication(t *testing.T) {
	t.Parallel()
	const least = 256
	s := newSource(t, pgtest.Start(t, pgserver.Options{Settings: map[string]string{"full_page_writes": "off", "autovacuum": "off"}}))
	before := s.exec("SELECT pg_current_wal_insert_lsn()")
	s.exec("CREATE PUBLICATION p FOR ALL TABLES")
	size, err := strconv.Atoi(s.exec("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '" + before + "')"))
	if err != nil || size < least {
		t.Errorf("%d bytes, %v", size, err)
	}
	t.Log(size)
}
