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
// it, and records the outcome. It does nothing if there is no time left.
func (s *Session) Peek(ctx context.Context) {
	// reserve is the time to report the outcome and to close the session.
	const reserve = 500 * time.Millisecond
	timeout := statementTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)-reserve)
	}
	if timeout < time.Millisecond {
		return
	}
	s.notices = nil
	peek := facts.Peek{Outcome: facts.PeekCompleted}
	if _, err := s.run(peekSQL(s.host.Slot), timeout); err != nil {
		peek.Outcome = facts.PeekFailed
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
			peek.Error = serverMessage(s.host.Password, pgErr)
		}
	}
	peek.Notices = s.notices
	s.host.Evidence.Peek = peek
}

// peekSQL decodes all pending changes: with a limit of one, a publication that is
// missing later on would not show.
func peekSQL(s database.Slot) string {
	return `SELECT pg_catalog.count(*) FROM pg_catalog.pg_logical_slot_peek_binary_changes(` + quote.Literal(s.SlotName) +
		`, NULL, NULL, 'proto_version', '1', 'publication_names', ` + quote.Literal(quote.Identifier(s.PublicationName)) + `)`
}
