package probe

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// ask asks for all parts in one statement. Where the server refuses that, it is
// asked for each by itself, so that one refused function does not cost every
// check.
func (s *session) ask(ps []part, e *evidence) {
	err := s.askFor(ps, &e.facts)
	if err == nil || s.gone(err, e) {
		return
	}
	for _, p := range ps {
		err := s.askFor([]part{p}, &e.facts)
		if err != nil && s.gone(err, e) {
			return
		}
		if err != nil && !p.optional {
			e.add(s.askFailure(p, err))
		}
	}
}

// askFor asks for ps in one statement. Either all of the answer gets into f, or
// nothing.
func (s *session) askFor(ps []part, f *facts) error {
	answer, err := s.query(statement(ps))
	if err != nil {
		return err
	}
	return f.decode(answer, ps)
}

// gone tells whether err means that the session is over, and notes it.
func (s *session) gone(err error, e *evidence) bool {
	if !isTimeout(err) && !isClosed(err) && !s.conn.IsClosed() {
		return false
	}
	e.add(s.lost(err))
	return true
}

// lost is what the end of a session means.
func (s *session) lost(err error) *check.Entry {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return failed(check.Connection, check.ConnectionLost,
			"the server ended the session with SQLSTATE "+printable(pgErr.Code)+": "+said(s.login, pgErr), "")
	}
	return silence(err, true)
}

func (s *session) askFailure(p part, err error) *check.Entry {
	message := "the server's answer about the " + p.name + " could not be read"
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		message = "the server refused to tell about the " + p.name + " with SQLSTATE " + printable(pgErr.Code) + ": " + said(s.login, pgErr)
	}
	return failed(check.Authentication, check.ServerError, message, "")
}

// peekOutcome is what reading ahead through the slot showed.
type peekOutcome int

const (
	peekNone    peekOutcome = iota // not tried, or not settled
	peekPassed                     // all of it could be decoded
	peekMissing                    // the publication was not there yet
)

// canPeek tells whether the slot may be read ahead: it must be free, whole and
// of pgoutput, and the role must be allowed to. Nor is it done where a pooler
// may be in the way, which would hand the settings that it takes to others.
func canPeek(e evidence) bool {
	if e.facts.Slot == nil || e.facts.Slot.Found == nil || e.facts.Server == nil {
		return false
	}
	f := e.facts.Slot.Found
	permitted := e.refused == nil || e.refused.pgErr.Code != stateInsufficientPrivilege
	direct := e.isWALSender() || e.mode == ordinary && e.pid == e.facts.Server.PID
	return permitted && direct && !f.Active && len(slotFailures(f, e.facts.Server)) == 0
}

// peek finds out for certain whether the publication was made after the slot.
// Where the server's limit on a statement, or what is left of the time, is not
// enough for that, the suspicion stays.
func (s *session) peek(ctx context.Context, slot database.Slot) peekOutcome {
	const reserve = 500 * time.Millisecond
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline) - reserve
		if left <= 0 || left < statementTime && s.do("SET statement_timeout = "+milliseconds(left)) != nil {
			return peekNone
		}
	}
	s.notes = nil
	_, err := s.query(peekSQL(slot))
	if err == nil && len(s.notes) == 0 {
		return peekPassed
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == stateUndefinedObject {
		return peekMissing
	}
	if err == nil {
		return noted(s.notes)
	}
	return peekNone
}

// noted reads the warnings of a peek: from 18 on a missing publication is one,
// and its changes are dropped.
func noted(notes []pgconn.Notice) peekOutcome {
	for _, n := range notes {
		if n.Code == stateNotInPrerequisite || n.Code == stateUndefinedObject {
			return peekMissing
		}
	}
	return peekPassed
}

// majorOf is the major version in a server_version such as "15.8 (Debian)", 0
// where it can't be read.
func majorOf(version string) int {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	n, err := strconv.Atoi(version[:end])
	if err != nil {
		return 0
	}
	return n
}
