// Package consumer reads replication slots as a consumer of pgoutput does.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// timeout bounds the whole of Inserts.
const timeout = 20 * time.Second

// Source is what a consumer reads.
type Source struct {
	Host                         string
	Port                         int
	Database, Username, Password string
	// Slot is the slot's name, Publications the list for publication_names, with its
	// names quoted where they need it.
	Slot, Publications string
}

// Inserts starts to read the slot, calls insert, and returns once as many INSERTs as
// wanted have come.
func Inserts(ctx context.Context, s Source, wanted int, insert func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("log in as a consumer: %w", err)
	}
	read := func() error {
		err := pglogrepl.StartReplication(ctx, conn, s.Slot, 0, pglogrepl.StartReplicationOptions{
			Mode: pglogrepl.LogicalReplication, PluginArgs: []string{"proto_version '1'", "publication_names " + quote(s.Publications)},
		})
		if err != nil {
			return fmt.Errorf("start to read slot %s: %w", s.Slot, err)
		}
		if err := insert(); err != nil {
			return err
		}
		for came := 0; came < wanted; {
			message, err := conn.ReceiveMessage(ctx)
			if err != nil {
				return fmt.Errorf("read slot %s after %d INSERTs: %w", s.Slot, came, err)
			}
			switch m := message.(type) {
			case *pgproto3.ErrorResponse:
				return pgconn.ErrorResponseToPgError(m)
			case *pgproto3.CopyData:
				if isInsert(m.Data) {
					came++
				}
			}
		}
		return nil
	}
	return errors.Join(read(), conn.Close(context.WithoutCancel(ctx)))
}

func (s Source) connect(ctx context.Context) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig("host=localhost sslmode=require")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.Database, config.User, config.Password = s.Host, uint16(s.Port), s.Database, s.Username, s.Password
	config.RuntimeParams = map[string]string{"replication": "database"}
	return pgconn.ConnectConfig(ctx, config)
}

// isInsert reports whether a message of the stream is an INSERT. What precedes it is its
// position, the end of the WAL and the time, of 8 bytes each.
func isInsert(data []byte) bool {
	const header = 1 + 3*8
	return len(data) > header && data[0] == pglogrepl.XLogDataByteID && data[header] == byte(pglogrepl.MessageTypeInsert)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
