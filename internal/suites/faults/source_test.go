package faults_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/headgate/headgate/internal/testkit/pgserver"
)

const (
	account                   = "acme"
	firstName, secondName     = "orders", "renamed"
	firstSecret, secondSecret = "first-pässword", "second-pässword"
	firstUser, secondUser     = "cdc", "cdc_next"
)

func sourceOptions() pgserver.Source {
	return pgserver.Source{Database: "app", Username: firstUser, Password: firstSecret, Publication: "pub", Slot: "slot"}
}

// newSource creates the source of all tests. A second role can use it too.
func newSource() error {
	ctx, source := context.Background(), sourceOptions()
	if err := machine.Postgres.CreateSource(ctx, source); err != nil {
		return err
	}
	_, err := machine.Postgres.Exec(ctx, source.Database, fmt.Sprintf(
		"CREATE ROLE %[1]s LOGIN REPLICATION PASSWORD '%[2]s'; GRANT SELECT ON %[3]s TO %[1]s; "+
			"GRANT CREATE ON DATABASE %[4]s TO %[5]s; CREATE TABLE made(id int PRIMARY KEY); ALTER TABLE made OWNER TO %[5]s",
		secondUser, secondSecret, pgserver.SourceTable, source.Database, source.Username))
	return err
}

// source returns the payload that registers the source.
func source(t *testing.T) map[string]any {
	t.Helper()
	if err := createSource(); err != nil {
		t.Fatal(err)
	}
	return machine.Payload(firstName, sourceOptions())
}
