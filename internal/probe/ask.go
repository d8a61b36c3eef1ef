package probe

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/database"
)

// ask asks for all parts in one statement. Where the server refuses that, it is
// asked for each by itself, so that one refused function does not cost every
// check.
func (s *session) ask(ps []part, e *evidence) {
	answer, err := s.query(statement(ps))
	if err == nil {
		err = e.facts.decode(answer)
	}
	if err == nil {
		return
	}
	e.facts = facts{}
	if s.gone(err, e) {
		return
	}
	for _, p := range ps {
		answer, err := s.query(statement([]part{p}))
		if err == nil {
			err = e.facts.decode(answer)
		}
		if err == nil {
			continue
		}
		if s.gone(err, e) {
			return
		}
		if !p.optional {
			e.add(askFailure(p, err))
		}
	}
}

// gone tells whether err means that the session is over, and notes it.
func (s *session) gone(err error, e *evidence) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && !s.conn.IsClosed() {
		return pgErr == nil
	}
	if !isTimeout(err) && !isClosed(err) && !s.conn.IsClosed() {
		return false
	}
	e.add(silence(err, true))
	return true
}

func askFailure(p part, err error) *database.Check {
	message := "the server's answer about the " + p.name + " could not be read"
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		message = "the server refused to tell about the " + p.name + " with SQLSTATE " + printable(pgErr.Code) + ": " + printable(pgErr.Message)
	}
	return failed(database.CheckAuthentication, ServerError, message, "")
}

// peekOutcome is what reading ahead through the slot showed.
type peekOutcome int

const (
	peekNone    peekOutcome = iota // not tried, or not settled
	peekPassed                     // all of it could be decoded
	peekMissing                    // the publication was not there yet
)

// peekTime is the limit of the peek on the server; where it passes, the
// suspicion stays.
const peekTime = 3 * time.Second

// canPeek tells whether the slot may be read ahead: it must be free, whole and
// of pgoutput, and the role must be allowed to.
func canPeek(e evidence) bool {
	if e.facts.Slot == nil || e.facts.Slot.Found == nil || e.facts.Server == nil {
		return false
	}
	f := e.facts.Slot.Found
	permitted := e.refused == nil || e.refused.pgErr.Code != stateInsufficientPrivilege
	return permitted && !f.Active && len(slotFailures(f, e.facts.Server)) == 0
}

// peek finds out for certain whether the publication was made after the slot.
func (s *session) peek(ctx context.Context, slot database.Slot) peekOutcome {
	limit := peekTime
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)-500*time.Millisecond)
	}
	if limit <= 0 || s.do("SET statement_timeout = "+strconv.FormatInt(limit.Milliseconds(), 10)) != nil {
		return peekNone
	}
	if s.mode == bare && s.do("SET client_min_messages = warning") != nil {
		return peekNone
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
