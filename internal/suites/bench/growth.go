package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// growthSamples is how often each size is measured.
const growthSamples = 3

// GrowthMajors are the versions that the sizes are measured on: the first with schemas
// in publications, and two later ones that list a publication's tables otherwise.
func GrowthMajors() []int { return []int{15, 17, 18} }

// GrowthSizes are the numbers of tables. The first is what the others are compared with.
func GrowthSizes() []int { return []int{10, 10_000, 50_000, 100_000, 200_000} }

// Growth measures the checks of a create on servers with that many tables, in every
// kind of publication, and on the first of them with other things in large numbers. It
// writes what it measured, after an error too. Filling a server with 200,000 tables takes some minutes.
func Growth(ctx context.Context, out io.Writer, majors, sizes []int) error {
	p := &printer{out: out}
	for _, major := range majors {
		installation, err := pgserver.Install(ctx, major)
		if err != nil {
			return err
		}
		g, err := newGrowing(ctx, installation)
		if err != nil {
			return err
		}
		rows, err := g.rows(ctx, sizes)
		p.printf("PostgreSQL %s%s\n\n", installation.Version, load())
		p.goals(rows)
		if err == nil && major == majors[0] {
			rows, err = g.others(ctx)
			p.goals(rows)
		}
		g.server.Stop()
		if err != nil {
			return err
		}
	}
	return p.err
}

// growing is a server whose source gets more and more tables.
type growing struct {
	server *pgserver.Server
	source pgserver.Source
	prober *probe.Prober
	tables int
}

func newGrowing(ctx context.Context, installation pgserver.Installation) (*growing, error) {
	policy, err := egress.New("127.0.0.0/8", "")
	if err != nil {
		return nil, err
	}
	server, err := pgserver.Start(ctx, pgserver.Options{Installation: installation, Settings: map[string]string{
		"max_wal_size": "4GB", "checkpoint_timeout": "1h", "shared_buffers": "256MB",
	}})
	if err != nil {
		return nil, err
	}
	g := &growing{server: server, prober: probe.New(policy), source: pgserver.Source{
		Database: "shop", Username: "cdc", Password: server.SuperuserPassword(), Publication: "orders_pub", Slot: "orders_slot",
	}}
	err = server.CreateSource(ctx, g.source)
	if err == nil {
		err = g.exec(ctx, "CREATE SCHEMA many", "CREATE SEQUENCE numbers", "GRANT USAGE ON SCHEMA many TO cdc",
			"ALTER DEFAULT PRIVILEGES IN SCHEMA many GRANT SELECT ON TABLES TO cdc", "CREATE PUBLICATION listed")
	}
	if err != nil {
		server.Stop()
		return nil, err
	}
	return g, nil
}

func (g *growing) exec(ctx context.Context, statements ...string) error {
	for _, sql := range statements {
		if _, err := g.server.Exec(ctx, g.source.Database, sql); err != nil {
			return fmt.Errorf("prepare source: %w", err)
		}
	}
	return nil
}

// grow creates tables until there are that many. Each is listed in a publication. A
// transaction has locks for some thousand tables.
func (g *growing) grow(ctx context.Context, tables int) error {
	const batch = 500
	for g.tables < tables {
		n := min(batch, tables-g.tables)
		if err := g.exec(ctx, fmt.Sprintf(`DO $$ DECLARE names text[]; BEGIN
FOR i IN 1..%d LOOP
names := names || format('many.%%I', 'many_' || nextval('numbers'));
EXECUTE format('CREATE TABLE %%s (id int PRIMARY KEY)', names[i]);
END LOOP;
EXECUTE 'ALTER PUBLICATION listed ADD TABLE ' || array_to_string(names, ', ');
END $$`, n)); err != nil {
			return err
		}
		g.tables += n
	}
	return g.exec(ctx, "ANALYZE pg_catalog.pg_class, pg_catalog.pg_depend, pg_catalog.pg_index, pg_catalog.pg_publication_rel")
}

func (g *growing) rows(ctx context.Context, sizes []int) ([]Row, error) {
	const maxTotal, maxMore = 5000, 1000 // milliseconds
	few := map[string]time.Duration{}
	var rows []Row
	for _, size := range sizes {
		if err := g.grow(ctx, size); err != nil {
			return rows, err
		}
		for _, publication := range []struct{ kind, members string }{
			{"FOR ALL TABLES", "FOR ALL TABLES"}, {"FOR TABLES IN SCHEMA", "FOR TABLES IN SCHEMA many"}, {"listed", ""},
		} {
			took, err := g.measure(ctx, publication.members)
			if err != nil {
				return rows, fmt.Errorf("%d tables, %s: %w", size, publication.kind, err)
			}
			name := fmt.Sprintf("%d tables, %s", size, publication.kind)
			rows = append(rows, Row{name, "ms", milliseconds(took), maxTotal})
			if size == sizes[0] {
				few[publication.kind] = took
			} else if size <= 50_000 {
				rows = append(rows, Row{name + ": more than with the fewest", "ms", milliseconds(took - few[publication.kind]), maxMore})
			}
		}
		took, listed, err := g.list(ctx)
		if err != nil {
			return rows, fmt.Errorf("list of %d tables: %w", size, err)
		}
		rows = append(rows, Row{fmt.Sprintf("%d tables, refresh_tables: %d fit into the list", size, listed), "ms", milliseconds(took), maxTotal})
	}
	return rows, nil
}

// measure returns the time of the checks for a publication with these members, or for
// the one in which all tables are listed if there are none.
func (g *growing) measure(ctx context.Context, members string) (time.Duration, error) {
	publication := "listed"
	if members != "" {
		publication = g.source.Publication
		if err := g.exec(ctx, "DROP PUBLICATION IF EXISTS orders_pub", "CREATE PUBLICATION orders_pub "+members); err != nil {
			return 0, err
		}
	}
	if err := g.exec(ctx, "SELECT pg_drop_replication_slot('orders_slot')", "SELECT pg_create_logical_replication_slot('orders_slot', 'pgoutput')"); err != nil {
		return 0, err
	}
	return g.check(ctx, publication)
}

// list returns the time of a list of the tables of the publication in which all are
// listed, and how many are in it.
func (g *growing) list(ctx context.Context) (took time.Duration, listed int, err error) {
	begin, left := time.Now(), database.MaxListBytes
	report := g.prober.RefreshTables(ctx, g.target("listed"), func(t database.Table) bool {
		if left -= check.SentSize(t) + 1; left < 0 { // and a comma
			return false
		}
		listed++
		return true
	}).Report
	if failure, failed := report.FirstFailure(); failed {
		err = errors.New(failure.Message)
	}
	return time.Since(begin), listed, err
}

func (g *growing) target(publication string) database.Target {
	return database.Target{
		Endpoint: database.Endpoint{
			Hostname: g.server.Host(), Port: g.server.Port(), Database: g.source.Database, Username: g.source.Username, SSL: true,
		},
		Passwords: database.Passwords{Main: database.Password(g.source.Password)},
		Slot:      database.Slot{PublicationName: publication, SlotName: g.source.Slot, Status: database.SlotActive},
	}
}

// check returns the median time of the checks. They must pass, all of them.
func (g *growing) check(ctx context.Context, publication string) (time.Duration, error) {
	var times []time.Duration
	for range growthSamples {
		begin := time.Now()
		report := g.prober.Probe(ctx, g.target(publication)).Report
		times = append(times, time.Since(begin))
		for _, e := range report {
			if e.Status == check.Failed || e.Code == check.NotChecked {
				return 0, errors.New(e.Name + ": " + string(e.Code) + ": " + e.Message)
			}
		}
	}
	return Median(times), nil
}
