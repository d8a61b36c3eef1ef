package pgserver

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// SourceTable is the table of every Source. Its replica identity is its primary
// key.
const SourceTable = "orders"

// Source has the names of a database that is ready for change data capture. The
// role must not exist, the others are created with it.
type Source struct {
	Database, Username, Password, Publication, Slot string
}

// CreateSource creates a role with the database, the table, the publication and
// the replication slot that headgate's checks ask for.
func (s *Server) CreateSource(ctx context.Context, source Source) error {
	role, database := quoteIdentifier(source.Username), quoteIdentifier(source.Database)
	for _, step := range []struct{ database, sql string }{
		{superuserDatabase, "CREATE ROLE " + role + " LOGIN REPLICATION PASSWORD " + quoteLiteral(source.Password)},
		{superuserDatabase, "CREATE DATABASE " + database},
		{source.Database, "CREATE TABLE " + SourceTable + " (id bigint PRIMARY KEY); GRANT SELECT ON " + SourceTable + " TO " + role},
		{source.Database, "CREATE PUBLICATION " + quoteIdentifier(source.Publication) + " FOR TABLE " + SourceTable},
		{source.Database, "SELECT pg_create_logical_replication_slot(" + quoteLiteral(source.Slot) + ", 'pgoutput')"},
	} {
		if _, err := s.Exec(ctx, step.database, step.sql); err != nil {
			return fmt.Errorf("create source %s: %w", source.Database, err)
		}
	}
	return nil
}

func quoteIdentifier(name string) string { return pgx.Identifier{name}.Sanitize() }
