package devserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// The throwaway source database, as a person would name things.
const (
	sampleDatabase    = "shop"
	sampleRole        = "headgate"
	samplePassword    = "sample-password"
	samplePublication = "headgate_pub"
	sampleSlot        = "headgate_slot"
)

// Sample is a throwaway Postgres server with a database that is ready for
// change data capture.
type Sample struct{ server *pgserver.Server }

// StartSample starts one with the server programs at hand; an error where there
// are none.
func StartSample(ctx context.Context) (*Sample, error) {
	programs, err := pgserver.Find(ctx)
	if err != nil {
		return nil, err
	}
	server, err := pgserver.Start(ctx, pgserver.Options{Installation: programs})
	if err != nil {
		return nil, err
	}
	s := &Sample{server: server}
	if err := s.prepare(ctx); err != nil {
		server.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Sample) prepare(ctx context.Context) error {
	steps := []struct{ database, sql string }{
		{"postgres", "CREATE ROLE " + sampleRole + " LOGIN REPLICATION PASSWORD '" + samplePassword + "'"},
		{"postgres", "CREATE DATABASE " + sampleDatabase + " OWNER " + sampleRole},
		{sampleDatabase, "CREATE TABLE orders (id bigint PRIMARY KEY, placed_at timestamptz NOT NULL DEFAULT now()); " +
			"GRANT SELECT ON orders TO " + sampleRole},
		{sampleDatabase, "CREATE PUBLICATION " + samplePublication + " FOR TABLE orders"},
		{sampleDatabase, "SELECT pg_create_logical_replication_slot('" + sampleSlot + "', 'pgoutput')"},
	}
	for _, step := range steps {
		if _, err := s.server.Exec(ctx, step.database, step.sql); err != nil {
			return fmt.Errorf("preparing the sample source: %w", err)
		}
	}
	return nil
}

// Stop ends the server and removes its data.
func (s *Sample) Stop() { s.server.Stop() }

// payload is the body of a create of the sample under name.
func (s *Sample) payload(name string) string {
	return fmt.Sprintf(`{
  "name": %q,
  "hostname": %q,
  "port": %d,
  "database": %q,
  "username": %q,
  "password": %q,
  "replication_slots": [{"publication_name": %q, "slot_name": %q}]
}`, name, s.server.Host(), s.server.Port(), sampleDatabase, sampleRole, samplePassword, samplePublication, sampleSlot)
}

// Create makes one real create of the sample by HTTP and writes to w the
// request, in a form that can be pasted, and the answer.
func (s *Sample) Create(ctx context.Context, w io.Writer, server *Server, c Config) error {
	// A data file that stays may have the sample of an earlier run.
	name := "sample-" + time.Now().UTC().Format("20060102-150405")
	body := s.payload(name)
	url := server.URL() + "/api/postgres_databases"
	if _, err := fmt.Fprintf(w, "$ curl -i %s \\\n  -H 'Authorization: Bearer %s' \\\n  -H 'Content-Type: application/json' \\\n  -d '%s'\n\n",
		url, c.Key.Reveal(), body); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.Key.Reveal())
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s %s\nLocation: %s\n\n%s\n", response.Proto, response.Status, response.Header.Get("Location"), indented(answer))
	return err
}

func indented(b []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return string(b)
	}
	return strings.TrimSpace(out.String())
}
