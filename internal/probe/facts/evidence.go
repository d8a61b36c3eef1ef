package facts

// MinMajor is the oldest supported major version of PostgreSQL.
const MinMajor = 12

// Stage is a step of a probe.
type Stage int

// The stages, in order. Encrypted includes connections that need no TLS.
const (
	Started Stage = iota
	Resolved
	Connected
	Encrypted
	LoggedIn
)

// Evidence is what a probe learned about one server.
type Evidence struct {
	// Reached is the last stage that succeeded.
	Reached Stage
	// Stopped is what prevented the stage after Reached. It is nil if the session
	// is open, or if the probe did not try to go on.
	Stopped *Failure
	// TLSOnly is true if the server rejected the role without TLS and did not
	// reject it in that way over TLS. Ssl was false.
	TLSOnly bool

	Session Session
	// SessionRejected is the server's rejection of the session that was wanted, if
	// it accepted one of a simpler kind.
	SessionRejected *ServerMessage

	Facts Facts
	// Unanswered has the parts of the statement that could not be asked, and why.
	Unanswered map[Part]Failure
	// Candidates are the tables that could be published, nil if they were not asked for.
	Candidates *Candidates
	// Lost is what ended the session while it was in use.
	Lost   *Failure
	Peek   Peek
	Making Making
}

// Stop records f, which prevents the next stage.
func (e *Evidence) Stop(f Failure) {
	e.Stopped = &f
	e.Reached = f.Kind.Prevents() - 1
}

// StoppedAt returns the failure that prevented stage s, or nil.
func (e *Evidence) StoppedAt(s Stage) *Failure {
	if e.Stopped == nil || e.Stopped.Kind.Prevents() != s {
		return nil
	}
	return e.Stopped
}

// Tried reports whether stage s was attempted.
func (e *Evidence) Tried(s Stage) bool { return e.Reached >= s || e.StoppedAt(s) != nil }

// Forbidden reports whether one of the host's addresses may not be dialled.
func (e *Evidence) Forbidden() bool {
	return e.Stopped != nil && (e.Stopped.Kind == AddressNotAllowed || e.Stopped.Kind == AddressPrivate)
}

// Supported reports whether the server is recent enough to be asked anything. A
// server that did not tell its version is.
func (e *Evidence) Supported() bool { return e.Session.Major == 0 || e.Session.Major >= MinMajor }

// OutOfTime reports whether the evidence is incomplete because this process was too
// busy, which says nothing about the server.
func (e *Evidence) OutOfTime() bool {
	return e.Stopped != nil && e.Stopped.Kind == OutOfTime || e.Lost != nil && e.Lost.Kind == OutOfTime ||
		e.Unanswered[PartTableList].Kind == OutOfTime
}

// IsWALSender reports whether the session is a walsender, as far as is known. A
// pooler can answer a request for one with an ordinary session.
func (e *Evidence) IsWALSender() bool {
	s := e.Facts.Server
	return e.Session.Kind == WALSender && (s == nil || s.BackendType == "" || s.BackendType == "walsender")
}

// Session is the session that the server accepted.
type Session struct {
	Kind SessionKind
	// PID is the process ID that the server sent at login.
	PID uint32
	// Major is the major version that the server sent at login, 0 if it sent none.
	Major int
}

// SessionKind is how a session is requested.
type SessionKind int

// The kinds of sessions.
const (
	// WALSender requests a walsender of the database. It runs any SQL over the
	// simple protocol. Being accepted proves that the role may replicate, that a
	// walsender is free, and that there is no pooler on the way.
	WALSender SessionKind = iota
	// Ordinary requests a regular backend.
	Ordinary
	// Bare is Ordinary without settings in the start-up message: poolers refuse them.
	Bare
)

// Peek is the outcome of reading the slot's pending changes without consuming
// them.
type Peek struct {
	Outcome PeekOutcome
	// Error is the server's error, if PeekFailed was its answer.
	Error *ServerMessage
	// Notices are the first warnings and notices that the server sent.
	Notices []ServerMessage
}

// PeekOutcome is how a peek ended.
type PeekOutcome int

// The outcomes of a peek.
const (
	PeekNotTried PeekOutcome = iota
	PeekCompleted
	PeekFailed
)
