package ask

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/probe/facts"
)

const (
	// closeTimeout bounds sending Terminate.
	closeTimeout = time.Second
	// maxNotices bounds the notices that are kept.
	maxNotices = 20
)

// Session is one logged-in connection to a server. Close it after use.
type Session struct {
	host *Host
	kind facts.SessionKind
	// separate forbids sending statements before the answers to earlier ones.
	separate bool
	out      *pipeline
	conn     *pgconn.PgConn
	wire     *wire
	sniff    *sniffer
	notices  []facts.ServerMessage
}

// Ask asks for the parts of the request in one statement. If the server rejects
// it, Ask asks for each part alone, so that the error of one does not cost the rest.
func (s *Session) Ask() {
	h := s.host
	err := s.askFor(h.Parts)
	if err == nil || s.ended(err) {
		return
	}
	for _, p := range h.Parts {
		err := s.askFor([]facts.Part{p})
		if err == nil {
			continue
		}
		if s.ended(err) {
			return
		}
		s.unanswered(p, err)
	}
}

// askFor asks for parts in one statement, and takes over all of the answer or
// nothing.
func (s *Session) askFor(parts []facts.Part) error {
	answer, err := s.query(statement(parts, s.host.Slot))
	if err != nil {
		return err
	}
	return Decode(&s.host.Evidence.Facts, answer, parts)
}

// unanswered records that p could not be asked because of err.
func (s *Session) unanswered(p facts.Part, err error) {
	failure := facts.Failure{Kind: facts.AnswerUnreadable}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		failure = facts.Failure{Kind: facts.NotAnswered, Server: serverMessage(s.host.Password, pgErr)}
	}
	e := &s.host.Evidence
	if e.Unanswered == nil {
		e.Unanswered = map[facts.Part]facts.Failure{}
	}
	e.Unanswered[p] = failure
}

// ended reports whether err means that the session is over, and records that.
func (s *Session) ended(err error) bool {
	if !isTimeout(err) && !isClosed(err) && !s.conn.IsClosed() {
		return false
	}
	failure := connectionFailure(err, true)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		failure = &facts.Failure{Kind: facts.Terminated, Server: serverMessage(s.host.Password, pgErr)}
	}
	s.host.Evidence.Lost = failure
	return true
}

// note keeps a notice of the server.
func (s *Session) note(_ *pgconn.PgConn, n *pgconn.Notice) {
	if len(s.notices) < maxNotices {
		s.notices = append(s.notices, *serverMessage(s.host.Password, (*pgconn.PgError)(n)))
	}
}

// query runs one statement in a transaction and returns its only value.
func (s *Session) query(sql string) ([]byte, error) {
	result, err := s.run(sql, statementTimeout)
	if err != nil {
		return nil, err
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return nil, errShape
	}
	return result.Rows[0][0], nil
}

// run runs sql over the simple protocol, in a transaction, and returns its result.
// All statements of the transaction go in one flight. timeout is the server's limit.
func (s *Session) run(sql string, timeout time.Duration, settings ...setting) (*pgconn.Result, error) {
	flight := transaction(s.kind, sql, timeout, settings...)
	if !s.separate {
		if err := s.out.load(flight); err != nil {
			return nil, err
		}
	}
	var result *pgconn.Result
	var failed error
	for _, statement := range flight {
		results, err := s.conn.Exec(context.Background(), statement).ReadAll()
		switch {
		case err != nil && s.conn.IsClosed():
			return nil, err
		case statement != sql:
			// What fails around sql fails it too, or does not matter.
		case err != nil:
			failed = err
		case len(results) != 1:
			failed = errShape
		default:
			result = results[0]
		}
	}
	return result, failed
}

// allow raises the session's limits.
func (s *Session) allow(bytes, messages int) {
	s.wire.left += bytes
	s.sniff.max += messages
}

// Close sends Terminate and does not wait for the server.
func (s *Session) Close() {
	s.wire.stop()
	if err := s.wire.SetDeadline(time.Now().Add(closeTimeout)); err == nil && !s.conn.IsClosed() {
		_ = s.conn.Close(context.Background()) // the server ends the session either way
	}
	_ = s.wire.Close()
	<-s.conn.CleanupDone()
}
