package ask

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

const (
	// writeTimeout is the server's limit on a statement that changes something.
	writeTimeout = 5 * time.Second
	// writeLockTimeout is its limit on waiting for a lock.
	writeLockTimeout = 3 * time.Second
	// cancelTimeout bounds sending a cancel request.
	cancelTimeout = 2 * time.Second
)

// statementError is the error of one of the statements of a write.
type statementError struct {
	statement string
	error
}

func (e statementError) Unwrap() error { return e.error }

// write runs statements in one transaction, which commits if all of them succeed, and
// returns the results of the last one. The settings leave search_path alone: a trigger on
// events may count on it, so that statements with operators begin with onSlots. A standby
// takes no transaction that may write.
func (s *Session) write(timeout, lock time.Duration, statements ...string) ([]*pgconn.Result, error) {
	begin := "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	if s.inRecovery() {
		begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
	}
	messages := append([]string{
		begin, "SELECT " + limit("statement_timeout", timeout).sql(),
		"SELECT " + limit("lock_timeout", lock).sql() + ", " + setting{"client_min_messages", "warning"}.sql() +
			// COMMIT waits for synchronous standbys without a limit, and nobody sees what it made before they answer.
			", " + setting{"synchronous_commit", "local"}.sql(),
	}, statements...)
	messages = append(messages, "COMMIT")
	if err := s.load([]transaction{{messages: messages}}); err != nil {
		return nil, err
	}
	var last []*pgconn.Result
	var failed error
	for i, message := range messages {
		results, err := s.send(message, nil)
		if err != nil && failed == nil {
			failed = statementError{message, err}
		}
		if err != nil && (s.conn.IsClosed() || errors.Is(err, errPanic)) {
			return nil, err
		}
		if i == len(messages)-2 && failed == nil {
			last = results
		}
	}
	return last, failed
}

// inRecovery reports whether the server said that it is a standby.
func (s *Session) inRecovery() bool {
	server := s.host.Evidence.Facts.Server
	return server != nil && server.InRecovery
}

// attempt returns the outcome of a write that returned err. found has the SQLSTATEs that
// mean that the object is as it is wanted already.
func (s *Session) attempt(err error, found ...string) facts.Attempt {
	if err == nil {
		return facts.Attempt{Outcome: facts.Made}
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, state := range found {
			if pgErr.Code == state {
				return facts.Attempt{Outcome: facts.Found}
			}
		}
	}
	a := facts.Attempt{Outcome: facts.AttemptFailed, Failure: s.failure(err)}
	if a.Failure.Kind != facts.NotAnswered || s.conn.IsClosed() {
		a.Outcome = facts.AttemptUnknown
	}
	return a
}

// Serialize makes the session wait until no other one of this program works on the slot
// that the request names. The lock ends with the session. The failure is nil if the
// session has the lock.
func (s *Session) Serialize(timeout time.Duration) *facts.Failure {
	_, err := s.write(timeout, timeout, "SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtext('headgate'), pg_catalog.hashtext("+quote.Literal(s.host.Slot.SlotName)+"))")
	if err == nil {
		return nil
	}
	failure := s.failure(err)
	return &failure
}

// cancelling calls do, and sends the server a request to cancel what the session runs if
// ctx ends or limit passes before do returns.
func (s *Session) cancelling(ctx context.Context, limit time.Duration, do func()) {
	var group sync.WaitGroup
	waiting, done := context.WithTimeout(ctx, limit)
	returned := make(chan struct{})
	group.Go(func() {
		select {
		case <-returned:
		case <-waiting.Done():
			s.cancel()
		}
	})
	do()
	close(returned)
	group.Wait()
	done()
}

// cancel sends a cancel request, and waits until the server has taken it.
func (s *Session) cancel() {
	ctx, done := context.WithTimeout(context.Background(), cancelTimeout)
	defer done()
	conn, failure := s.host.connect(ctx)
	if failure != nil {
		return // statement_timeout is the other limit
	}
	defer func() { _ = conn.Close() }()
	request, err := (&pgproto3.CancelRequest{ProcessID: s.conn.PID(), SecretKey: s.conn.SecretKey()}).Encode(nil)
	if err != nil {
		return
	}
	if _, err := conn.Write(request); err == nil {
		_, _ = io.Copy(io.Discard, conn) // the server closes the connection
	}
}
