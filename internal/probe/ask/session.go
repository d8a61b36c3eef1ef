package ask

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/probe/facts"
)

const (
	// closeTimeout bounds sending Terminate.
	closeTimeout = time.Second
	// maxNotices bounds the notices that are kept.
	maxNotices = 20
	// partLockTimeout is lockTimeout for a part that is asked for alone.
	partLockTimeout = 300 * time.Millisecond
)

// Session is one logged-in connection to a server. Close it after use.
type Session struct {
	host *Host
	kind facts.SessionKind
	// separate forbids sending statements before the answers to earlier ones.
	separate bool
	// first has the transactions that Ask runs, once they are known.
	first   []transaction
	out     *pipeline
	conn    *pgconn.PgConn
	wire    *wire
	sniff   *sniffer
	notices []facts.ServerMessage
}

// Ask asks for the parts of the request. The tables and the new publication have
// statements of their own, in the same flight, and the other parts are in one. If the server rejects that, Ask asks
// for each part alone, so that the error of one does not cost the rest.
func (s *Session) Ask(ctx context.Context) {
	h := s.host
	if s.first == nil {
		s.first = h.transactions(ctx, s.kind)
	}
	err := s.load(s.first)
	if err == nil {
		err = s.askFor(s.first[0], h.Parts)
	}
	if err != nil && s.ended(err) {
		return
	}
	s.askApart(ctx, s.first[1:])
	if err == nil {
		return
	}
	for _, p := range h.Parts {
		if hasStatement(p) {
			continue
		}
		if err := s.askForPart(p, err); err != nil && s.ended(err) {
			return
		}
	}
}

// askApart asks for the parts with statements of their own.
func (s *Session) askApart(ctx context.Context, transactions []transaction) {
	for _, p := range s.host.Parts {
		if !hasStatement(p) {
			continue
		}
		t := transactions[0]
		transactions = transactions[1:]
		s.askWithin(ctx, t, p)
	}
	if s.conn.IsClosed() || s.host.OneFlight {
		return
	}
	s.askForRemedies()
	if t := s.host.Evidence.Facts.Tables; t != nil && t.Count == 0 && !s.publishesAll() && s.host.Publication == nil {
		s.askForCandidates(s.host.tablesTimeout(ctx))
	}
}

// askForPart asks for p alone. If the session is over, cause is why p has no answer.
func (s *Session) askForPart(p facts.Part, cause error) error {
	if s.conn.IsClosed() {
		s.unanswered(p, cause)
		return nil
	}
	err := s.askAlone(p, partSQL(p, s.host.Slot))
	switch {
	case err == nil:
	case p == facts.PartIdentity && s.identify():
		return nil
	case p == facts.PartPublication && s.unencodable(err):
		s.host.Evidence.Facts.Publication = &facts.Lookup[facts.Publication]{Unencodable: true}
		return nil
	case p == facts.PartServer && !s.conn.IsClosed() && s.askAlone(p, plainServerSQL(s.kind)) == nil:
		return nil
	}
	if err != nil && !s.conn.IsClosed() {
		s.unanswered(p, err)
		return nil
	}
	return err
}

// askAlone asks for p by sql, its expression.
func (s *Session) askAlone(p facts.Part, sql string) error {
	t := newTransaction(s.kind, statementOf(p, sql), statementTimeout, limit("lock_timeout", partLockTimeout))
	if err := s.load([]transaction{t}); err != nil {
		return err
	}
	return s.askFor(t, []facts.Part{p})
}

// unencodable reports whether err means that the encoding of the database lacks a
// character of the publication's name, so that there can be none of that name.
func (s *Session) unencodable(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == pgerrcode.UntranslatableCharacter &&
		strings.ContainsFunc(s.host.Slot.PublicationName, func(r rune) bool { return r >= utf8.RuneSelf })
}

// identify asks for the system identifier by the command for walsenders, for which no
// right to execute a function is needed. It reports whether the server answered.
func (s *Session) identify() bool {
	if !s.host.Evidence.IsWALSender() || s.conn.IsClosed() {
		return false
	}
	results, err := s.send("IDENTIFY_SYSTEM", nil)
	if err != nil || len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) == 0 {
		return false
	}
	identifier := string(results[0].Rows[0][0])
	const maxDigits = 20
	if len(identifier) > maxDigits || strings.Trim(identifier, "0123456789") != "" {
		return false
	}
	s.host.Evidence.Facts.Identity = &identifier
	return true
}

// askWithin asks for p, whose answer grows with the number of tables. It can take as
// long as to leave time for the report; the session is given up if it takes longer. Its
// end costs nothing else.
func (s *Session) askWithin(ctx context.Context, t transaction, p facts.Part) {
	if s.conn.IsClosed() {
		s.unanswered(p, net.ErrClosed)
		return
	}
	deadline, bounded := ctx.Deadline()
	if bounded {
		left := time.Until(deadline)
		s.wire.readUntil(ctx, deadline.Add(-left/8))
	}
	if err := s.askFor(t, []facts.Part{p}); err != nil {
		s.unanswered(p, err)
	}
	if bounded && !s.conn.IsClosed() {
		s.wire.readUntil(ctx, deadline)
	}
}

// publishesAll reports whether the publication is known to have all tables.
func (s *Session) publishesAll() bool {
	p := s.host.Evidence.Facts.FoundPublication()
	return p != nil && p.AllTables
}

// askFor asks for parts by t, and takes over all of the answer or nothing.
func (s *Session) askFor(t transaction, parts []facts.Part) error {
	result, err := s.perform(t)
	if err != nil {
		return err
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return errShape
	}
	return Decode(&s.host.Evidence.Facts, result.Rows[0][0], parts)
}

// unanswered records that p could not be asked because of err.
func (s *Session) unanswered(p facts.Part, err error) {
	e := &s.host.Evidence
	if e.Unanswered == nil {
		e.Unanswered = map[facts.Part]facts.Failure{}
	}
	failure := s.failure(err)
	if errors.Is(err, unreadError{}) {
		failure.Kind = facts.OutOfTime
	}
	e.Unanswered[p] = failure
}

// failure returns why a statement was not executed.
func (s *Session) failure(err error) facts.Failure {
	failure := facts.Failure{Kind: facts.AnswerUnreadable}
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case ok:
		failure = facts.Failure{Kind: facts.NotAnswered, Server: serverMessage(s.host.Password, pgErr)}
	case errors.Is(err, errFlood):
	case isTimeout(err):
		failure.Kind = facts.NotAnsweredInTime
	case isClosed(err) || s.conn.IsClosed():
		failure.Kind = facts.SessionEnded
	}
	return failure
}

// ended reports whether err means that the session is over, and records that.
func (s *Session) ended(err error) bool {
	if !isTimeout(err) && !isClosed(err) && !s.conn.IsClosed() && !errors.Is(err, errPanic) {
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

// run runs sql in a transaction and returns its result. timeout is the server's limit.
func (s *Session) run(sql string, timeout time.Duration, settings ...setting) (*pgconn.Result, error) {
	return s.loadAndPerform(newTransaction(s.kind, sql, timeout, settings...))
}

// each runs sql like run, and passes the rows of its result to do, one by one.
func (s *Session) each(sql string, timeout time.Duration, do func(row [][]byte) error) error {
	t := newTransaction(s.kind, sql, timeout)
	t.each = do
	_, err := s.loadAndPerform(t)
	return err
}

func (s *Session) loadAndPerform(t transaction) (*pgconn.Result, error) {
	if err := s.load([]transaction{t}); err != nil {
		return nil, err
	}
	return s.perform(t)
}

// load makes transactions the next flight: the first message of it that is written
// takes the others along.
func (s *Session) load(transactions []transaction) error {
	if s.separate {
		return nil
	}
	return s.out.load(messages(transactions))
}

// perform runs t over the simple protocol and returns the result of its statement.
func (s *Session) perform(t transaction) (*pgconn.Result, error) {
	var result *pgconn.Result
	var failed, before error
	for _, message := range t.messages {
		var each func(row [][]byte) error
		if message == t.statement {
			each = t.each
		}
		results, err := s.send(message, each)
		switch {
		case err != nil && (s.conn.IsClosed() || errors.Is(err, errPanic)):
			return nil, err
		case message != t.statement:
			// What fails before the statement fails it too; what fails after it does not matter.
			if before == nil {
				before = err
			}
		case err != nil:
			failed = cmp.Or(before, err)
		case len(results) != 1:
			failed = errShape
		default:
			result = results[0]
		}
	}
	return result, failed
}

// send sends a message and returns its results, without rows if each takes them. pgconn
// takes some sequences of messages that no server sends for bugs of its own, and panics.
// Such a session is over, and the process is not: nothing else would recover in a probe's
// goroutine.
func (s *Session) send(message string, each func(row [][]byte) error) (results []*pgconn.Result, err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	reader := s.conn.Exec(context.Background(), message)
	if each == nil {
		return reader.ReadAll()
	}
	return readEach(reader, each)
}

// readEach passes the rows of all results to do until it returns an error, and returns
// the results without rows.
func readEach(r *pgconn.MultiResultReader, do func(row [][]byte) error) (results []*pgconn.Result, err error) {
	for r.NextResult() {
		result := r.ResultReader()
		for err == nil && result.NextRow() {
			err = do(result.Values())
		}
		_, _ = result.Close() // its error is r's
		results = append(results, &pgconn.Result{})
	}
	return results, cmp.Or(r.Close(), err)
}

// allow raises the session's limits.
func (s *Session) allow(bytes, messages int) {
	s.wire.left.Add(int64(bytes))
	s.sniff.max += messages
}

// Close sends Terminate and does not wait for the server.
func (s *Session) Close() {
	s.wire.stop()
	if err := s.wire.SetDeadline(time.Now().Add(closeTimeout)); err == nil && !s.conn.IsClosed() {
		_ = s.conn.Close(context.Background()) // the server ends the session either way
	}
	_ = s.wire.Close() // pgconn may have closed it already
	<-s.conn.CleanupDone()
}
