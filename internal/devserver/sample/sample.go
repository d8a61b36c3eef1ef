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

// Source is a throwaway Postgres server with a database that passes every check
// of a create.
type Source struct {
	server   *pgserver.Server
	database pgserver.Source
}

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
	s := &Source{server, pgserver.Source{
		Database: "shop", Username: "headgate", Password: "sample-password", Publication: "headgate_pub", Slot: "headgate_slot",
	}}
	if err := server.CreateSource(ctx, s.database); err != nil {
		server.Stop()
		return nil, err
	}
	return s, nil
}

// Stop ends the server and removes its data.
func (s *Source) Stop() { s.server.Stop() }

// payload returns the body of a create that registers the source as name.
func (s *Source) payload(name string) string {
	d := s.database
	return fmt.Sprintf(`{
  "name": %q,
  "hostname": %q,
  "port": %d,
  "database": %q,
  "username": %q,
  "password": %q,
  "replication_slots": [{"publication_name": %q, "slot_name": %q}]
}`, name, s.server.Host(), s.server.Port(), d.Database, d.Username, d.Password, d.Publication, d.Slot)
}
