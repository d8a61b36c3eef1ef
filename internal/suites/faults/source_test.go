package faults_test

import (
	"context"
	"fmt"
	"testing"
)

// source is the payload that registers the database that makeSource makes.
func source(t *testing.T) map[string]any {
	t.Helper()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	p := payload()
	p["hostname"], p["port"] = "127.0.0.1", postgres.Port()
	return p
}

// makeSource makes a database that is ready for change data capture, for two
// roles.
func makeSource() error {
	for _, statement := range []struct{ db, sql string }{
		{"postgres", "CREATE ROLE " + firstUser + " LOGIN REPLICATION PASSWORD '" + firstSecret + "'"},
		{"postgres", "CREATE ROLE " + secondUser + " LOGIN REPLICATION PASSWORD '" + secondSecret + "'"},
		{"postgres", "CREATE DATABASE app"},
		{"app", "CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO " + firstUser + ", " + secondUser},
		{"app", "CREATE PUBLICATION pub FOR TABLE t"},
		{"app", "SELECT pg_create_logical_replication_slot('slot', 'pgoutput')"},
	} {
		if _, err := postgres.Exec(context.Background(), statement.db, statement.sql); err != nil {
			return fmt.Errorf("%s: %w", statement.sql, err)
		}
	}
	return nil
}
