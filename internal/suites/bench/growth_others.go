package bench

import (
	"context"
	"fmt"
	"strconv"
)

// others measures the checks with other things in large numbers, one after the other.
func (g *growing) others(ctx context.Context) ([]Row, error) {
	const most = 5000 // milliseconds
	var rows []Row
	for _, step := range []struct {
		name    string
		members string
		prepare func(context.Context) error
	}{
		{"the same, one table listed", "FOR TABLE orders", func(context.Context) error { return nil }},
		{"and a table of 5,000 partitions, published by its root", "FOR TABLE orders, parts WITH (publish_via_partition_root)", g.addPartitions},
		{"the same, published by its partitions", "FOR TABLE orders, parts", func(context.Context) error { return nil }},
		{"and 5,000 roles of which the role is a member", "FOR TABLE orders", g.addRoles},
		{"and 1,000 databases", "FOR TABLE orders", g.addDatabases},
	} {
		if err := step.prepare(ctx); err != nil {
			return rows, err
		}
		took, err := g.measure(ctx, step.members)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", step.name, err)
		}
		rows = append(rows, Row{step.name, "ms", milliseconds(took), most})
	}
	took, err := g.behindWAL(ctx)
	if err != nil {
		return rows, err
	}
	return append(rows, Row{"and a peek behind 1.2 GB of another database's WAL", "ms", took, most}), nil
}

func (g *growing) addPartitions(ctx context.Context) error {
	const batches, batch = 10, 500
	if err := g.exec(ctx, "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)", "GRANT SELECT ON parts TO cdc",
		"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO cdc"); err != nil {
		return err
	}
	for i := range batches {
		if err := g.exec(ctx, fmt.Sprintf(`DO $$ BEGIN FOR i IN %d..%d LOOP
EXECUTE format('CREATE TABLE parts_%%s PARTITION OF parts FOR VALUES FROM (%%s) TO (%%s)', i, i, i + 1);
END LOOP; END $$`, i*batch, (i+1)*batch-1)); err != nil {
			return err
		}
	}
	return nil
}

func (g *growing) addRoles(ctx context.Context) error {
	return g.exec(ctx, `DO $$ BEGIN FOR i IN 1..5000 LOOP
EXECUTE format('CREATE ROLE member_%s', i); EXECUTE format('GRANT member_%s TO cdc', i);
END LOOP; END $$`)
}

func (g *growing) addDatabases(ctx context.Context) error {
	for i := range 1000 {
		if err := g.exec(ctx, "CREATE DATABASE other_"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

// behindWAL returns the time of the checks, in milliseconds, if the order of publication
// and slot is open and 1.2 GB of another database's changes are between them.
func (g *growing) behindWAL(ctx context.Context) (float64, error) {
	if err := g.exec(ctx, "ALTER PUBLICATION orders_pub SET (publish = 'insert, update, delete')"); err != nil {
		return 0, err
	}
	for range 12 {
		if _, err := g.server.Exec(ctx, "postgres", "DROP TABLE IF EXISTS filler; CREATE TABLE filler AS SELECT repeat(md5(i::text), 30) AS text FROM generate_series(1, 100000) i"); err != nil {
			return 0, fmt.Errorf("fill the WAL: %w", err)
		}
	}
	took, err := g.check(ctx, g.source.Publication)
	return milliseconds(took), err
}
