package ask

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// Peek reads what the slot would send through the publication, without consuming
// it, and records the outcome. It does nothing if there is no time left,
// or no session.
func (s *Session) Peek(ctx context.Context) {
	// reserve is the time to clean up, to report the outcome and to close the session.
	const reserve = time.Second
	timeout := statementTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)-reserve)
	}
	if timeout < time.Millisecond || s.conn.IsClosed() {
		return
	}
	s.notices = nil
	peek := facts.Peek{Outcome: facts.PeekCompleted}
	if _, err := s.run(peekSQL(s.host.Slot, "NULL"), timeout, asSessionUser(), asConsumer()); err != nil {
		peek.Outcome = facts.PeekFailed
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
			peek.Error = serverMessage(s.host.Password, pgErr)
		}
	}
	peek.Notices = s.notices
	s.host.Evidence.Peek = peek
	if peek.Error != nil {
		s.removeSpillFiles()
	}
}

// removeSpillFiles reads one record of the slot. A peek that fails leaves the
// transactions that did not fit into logical_decoding_work_mem in files, which the
// server removes when it next opens the slot.
func (s *Session) removeSpillFiles() {
	const timeout = 500 * time.Millisecond
	_, _ = s.run(peekSQL(s.host.Slot, "'0/1'"), timeout, asSessionUser()) // the report is complete without it
}

// asSessionUser returns the setting that makes the role that logged in the current
// user: functions for slots need the attributes of the current user, and a consumer
// those of the role that logs in.
func asSessionUser() setting { return setting{"role", "none"} }

// asConsumer returns the setting of the encoding that consumers ask for.
func asConsumer() setting { return setting{"client_encoding", "UTF8"} }

// peekSQL decodes the pending changes, up to the record at which an LSN of the WAL is
// reached. With a limit on the number of changes, a publication that is missing later
// on would not show.
func peekSQL(s database.Slot, upTo string) string {
	return `SELECT pg_catalog.count(*) FROM pg_catalog.pg_logical_slot_peek_binary_changes(` + quote.Literal(s.SlotName) +
		`, ` + upTo + `, NULL, 'proto_version', '1', 'publication_names', ` + quote.RawLiteral(quote.RawIdentifier(s.PublicationName)) + `)`
}
