package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// broken is a source that is sound but for one thing.
type broken struct {
	name string
	// statements break the source, in its database.
	statements []string
	// change breaks what is said about it.
	change func(*pgserver.Source)
}

func brokenSources() []broken {
	slot := func(name string) func(*pgserver.Source) { return func(s *pgserver.Source) { s.Slot = name } }
	return []broken{
		{"wrong password", nil, func(s *pgserver.Source) { s.Password = "wrong" }},
		{"no such database", nil, func(s *pgserver.Source) { s.Database += "_2" }},
		{"role without REPLICATION", []string{"ALTER ROLE %s NOREPLICATION"}, nil},
		{"no such publication", nil, func(s *pgserver.Source) { s.Publication = "other_pub" }},
		{"no such slot", nil, slot("no_slot")},
		{"slot of another database", nil, slot("orders_slot")},
		{"slot of another output plugin", []string{"SELECT pg_create_logical_replication_slot('test_%s', 'test_decoding')"}, slot("test_%s")},
		{"publication younger than the slot, with changes between", []string{
			"DROP PUBLICATION orders_pub", "INSERT INTO orders VALUES (1)", "CREATE PUBLICATION orders_pub FOR TABLE orders",
		}, nil},
		{"published table without a primary key", []string{"ALTER TABLE orders DROP CONSTRAINT orders_pkey"}, nil},
		{"role that may not read the table", []string{"REVOKE ALL ON orders FROM %s"}, nil},
	}
}

// verdict is what was found of a broken source.
type verdict struct{ source, headgate, debezium string }

func (s *scene) judgeBroken(ctx context.Context, d *debezium) ([]verdict, error) {
	policy, err := egress.New("127.0.0.0/8", "")
	if err != nil {
		return nil, err
	}
	var verdicts []verdict
	for i, b := range brokenSources() {
		id := "broken_" + strconv.Itoa(i)
		source := pgserver.Source{
			Database: id, Username: id, Password: s.source.Password, Publication: "orders_pub", Slot: id,
		}
		if err := s.Postgres.CreateSource(ctx, source); err != nil {
			return nil, err
		}
		for _, statement := range b.statements {
			if _, err := s.Postgres.Exec(ctx, id, named(statement, id)); err != nil {
				return nil, fmt.Errorf("break source, %s: %w", b.name, err)
			}
		}
		if b.change != nil {
			b.change(&source)
			source.Slot = named(source.Slot, id)
		}
		errs, _, err := d.validate(source, s.near.postgres.Port())
		if err != nil {
			return nil, err
		}
		report := probe.New(policy).Probe(ctx, database.Target{
			Endpoint: database.Endpoint{
				Hostname: "127.0.0.1", Port: s.near.postgres.Port(), Database: source.Database, Username: source.Username, SSL: true,
			},
			Passwords: database.Passwords{Main: database.Password(source.Password)},
			Slot:      database.Slot{PublicationName: source.Publication, SlotName: source.Slot, Status: database.SlotActive},
		}).Report
		verdicts = append(verdicts, verdict{b.name, found(report), errs})
	}
	return verdicts, nil
}

// named puts a name into the place that a text has for it, if it has one.
func named(text, name string) string { return strings.Replace(text, "%s", name, 1) }

// found returns the code of the first failed check, or of the first warning.
func found(report check.Report) string {
	if failure, failed := report.FirstFailure(); failed {
		return "`" + string(failure.Code) + "`"
	}
	for _, w := range report.Warnings() {
		return "`" + string(w.Code) + "` (a warning)"
	}
	return "nothing"
}

func (f debeziumFigures) verdictTable() [][]string {
	rows := [][]string{{"source", "headgate", "Debezium's validator"}}
	for _, v := range f.verdicts {
		if v.debezium == "" {
			v.debezium = "nothing"
		}
		rows = append(rows, []string{v.source, v.headgate, v.debezium})
	}
	return rows
}
