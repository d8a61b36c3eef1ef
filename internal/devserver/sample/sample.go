// Package sample runs a throwaway source database for the development server and
// registers it through the API. It uses the test kit to run Postgres, so only
// the development command imports it.
package sample

import (
	"context"
	"fmt"
	"io"

	"github.com/headgate/headgate/internal/testkit/pgserver"
)

const (
	databaseName = "shop"
	roleName     = "headgate"
	password     = "sample-password"
	publication  = "headgate_pub"
	slotName     = "headgate_slot"
)

// Source is a throwaway Postgres server with a database that passes every check
// of a create.
type Source struct{ server *pgserver.Server }

// Start starts a source. On a machine without Postgres it installs the server
// programs into .cache first and writes its progress to w. The end of ctx ends
// the start; a source that was started needs Stop.
func Start(ctx context.Context, w io.Writer) (*Source, error) {
	installation, err := programs(ctx, w)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(w, "Starting a throwaway source database on PostgreSQL %s.\n", installation.Version)
	server, err := pgserver.Start(ctx, pgserver.Options{Installation: installation})
	if err != nil {
		return nil, err
	}
	s := &Source{server: server}
	if err := s.prepare(ctx); err != nil {
		server.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Source) prepare(ctx context.Context) error {
	steps := []struct{ database, sql string }{
		{"postgres", "CREATE ROLE " + roleName + " LOGIN REPLICATION PASSWORD '" + password + "'"},
		{"postgres", "CREATE DATABASE " + databaseName + " OWNER " + roleName},
		{databaseName, "CREATE TABLE orders (id bigint PRIMARY KEY, placed_at timestamptz NOT NULL DEFAULT now()); " +
			"GRANT SELECT ON orders TO " + roleName},
		{databaseName, "CREATE PUBLICATION " + publication + " FOR TABLE orders"},
		{databaseName, "SELECT pg_create_logical_replication_slot('" + slotName + "', 'pgoutput')"},
	}
	for _, step := range steps {
		if _, err := s.server.Exec(ctx, step.database, step.sql); err != nil {
			return fmt.Errorf("prepare the sample source: %w", err)
		}
	}
	return nil
}

// Stop ends the server and removes its data.
func (s *Source) Stop() { s.server.Stop() }

// payload returns the body of a create that registers the source as name.
func (s *Source) payload(name string) string {
	return fmt.Sprintf(`{
  "name": %q,
  "hostname": %q,
  "port": %d,
  "database": %q,
  "username": %q,
  "password": %q,
  "replication_slots": [{"publication_name": %q, "slot_name": %q}]
}`, name, s.server.Host(), s.server.Port(), databaseName, roleName, password, publication, slotName)
}
