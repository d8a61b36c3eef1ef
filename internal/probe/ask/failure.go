package ask

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
	"github.com/headgate/headgate/internal/redact"
)

var (
	// errFlood ends the reads of a session in which the server sends too much.
	errFlood = errors.New("read from server: too much data")
	// errPanic is returned where pgconn panicked because of what the server sent.
	errPanic = errors.New("read answer: messages in an impossible order")
	// errShape is returned for an answer that the statement can't have.
	errShape = errors.New("read answer: unexpected rows or columns")
)

// unreadError is the error of a deadline that passed when an answer had arrived.
type unreadError struct{}

func (unreadError) Error() string { return "read from server: too late" }

// Unwrap returns the error of a deadline.
func (unreadError) Unwrap() error { return os.ErrDeadlineExceeded }

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, errFlood) ||
		errors.Is(err, pgconn.ErrConnClosed)
}

// connectionFailure returns what a failed read or write means. spoke is whether
// the server had sent anything before.
func connectionFailure(err error, spoke bool) *facts.Failure {
	switch {
	case errors.Is(err, unreadError{}):
		return &facts.Failure{Kind: facts.OutOfTime}
	case isTimeout(err) && !spoke:
		return &facts.Failure{Kind: facts.NeverAnswered}
	case isTimeout(err):
		return &facts.Failure{Kind: facts.FellSilent}
	case errors.Is(err, errFlood):
		return &facts.Failure{Kind: facts.Flooded}
	case isClosed(err):
		return &facts.Failure{Kind: facts.Closed}
	}
	return &facts.Failure{Kind: facts.ProtocolViolated}
}

// connectionLost reports whether k is an end of the connection that another
// attempt may not meet.
func connectionLost(k facts.Kind) bool {
	return k == facts.FellSilent || k == facts.Flooded || k == facts.Closed || k == facts.ProtocolViolated
}

// serverMessage returns e in printable form. If e repeats the password, its text is
// left out.
func serverMessage(password database.Password, e *pgconn.PgError) *facts.ServerMessage {
	m := &facts.ServerMessage{
		Severity: quote.Printable(e.SeverityUnlocalized),
		SQLSTATE: sqlstate(e.Code),
		Routine:  quote.Printable(e.Routine),
		Message:  quote.Printable(e.Message),
	}
	p := password.Reveal()
	if p != "" && strings.Contains(e.Message, p) || redact.NewSecrets(p).In(e.Message) {
		m.Message = "its message is not repeated here"
	}
	return m
}

// sqlstate returns code, or the code of an unknown error if it has another form.
func sqlstate(code string) string {
	const length = 5
	odd := strings.ContainsFunc(code, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') })
	if len(code) != length || odd {
		return pgerrcode.InternalError
	}
	return code
}
