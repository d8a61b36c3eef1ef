package judge

import (
	"strconv"
	"strings"

	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// Access returns the failed checks for which nothing can be made or dropped on t. primary
// is nil if it is not needed.
func Access(t database.Target, target facts.Evidence, primary *facts.Evidence) check.Report {
	s := newSubject(t, target, primary)
	var report check.Report
	for _, r := range checks() {
		if r.name == check.Standby && primary == nil && t.Primary != nil {
			continue
		}
		for _, e := range r.entries(s) {
			if e.Status == check.Failed {
				report = append(report, e)
			}
		}
		if r.name == check.Standby {
			break
		}
	}
	unanswered := s.Facts.Server == nil || s.inRecovery() && primary != nil && primary.Facts.Server == nil
	if len(report) == 0 && (unanswered || !direct(s.server)) {
		report = append(report, check.Fail(check.Connection, check.ConnectionLost, "the server did not say what it is, so nothing was changed on it", ""))
	}
	return screen(report, t, &target, primary)
}

// direct reports whether the session is with the server itself, and not with a pooler,
// for which each transaction may be on another one.
func direct(s server) bool {
	return s.IsWALSender() || s.Session.Kind == facts.Ordinary && s.Facts.Server != nil && s.Session.PID == s.Facts.Server.PID
}

// NotAlone returns the report for a request that did not get the lock without which it
// makes nothing: another request works on the slot, or f is something else.
func NotAlone(t database.Target, f facts.Failure, target facts.Evidence, primary *facts.Evidence) check.Report {
	s := newSubject(t, target, primary)
	e := check.Fail(check.ReplicationSlot, check.SlotCreateBlocked, "another request makes or drops "+slotName(t.Slot)+" at this moment", "repeat the request")
	switch {
	case f.Kind == facts.NotAnswered && f.Server.SQLSTATE != pgerrcode.LockNotAvailable && f.Server.SQLSTATE != pgerrcode.QueryCanceled:
		fix := ""
		if f.Server.SQLSTATE == pgerrcode.InsufficientPrivilege {
			fix = annotate("GRANT EXECUTE ON FUNCTION pg_catalog.pg_advisory_lock(integer, integer) TO "+s.role(), "as a superuser", primaryOnly(s))
		}
		e = check.Fail(check.ReplicationSlot, check.SlotCreateDenied, "nothing was made, because role "+s.role()+
			" can't keep other requests for "+slotName(t.Slot)+" away by pg_advisory_lock: "+refusedBecause(*f.Server), fix)
	case f.Kind != facts.NotAnswered && f.Kind != facts.NotAnsweredInTime:
		e = check.Fail(check.Connection, check.ConnectionLost, "the connection ended before anything was made: "+unansweredBecause(f), "")
	}
	return screen(check.Report{e}, t, &target, primary)
}

// OutOfTime returns the report for a request that has no time left to make anything.
func OutOfTime(t database.Target) check.Report {
	return check.Report{check.Fail(check.ReplicationSlot, check.SlotCreateBlocked,
		slotName(t.Slot)+" was not made, because the request has no time left for it", "repeat the request")}
}

// Making returns the failed checks about what could not be made on t, empty if nothing
// failed.
func Making(t database.Target, target facts.Evidence, primary *facts.Evidence) check.Report {
	s := newSubject(t, target, primary)
	var report check.Report
	if p := s.publisher(); p != nil && failedAttempt(p.Making.Publication) {
		report = append(report, publicationRefused(s, *p, p.Making.Publication.Failure))
	}
	if r := s.Evidence.Making.Replay; r != nil {
		report = append(report, check.Fail(check.Publication, check.PublicationNotFound,
			"publication "+quote.Identifier(t.Slot.PublicationName)+" did not reach the standby in time: "+unansweredBecause(*r), "repeat the request when the standby has caught up with its primary"))
	}
	if failedAttempt(s.Evidence.Making.Slot) {
		report = append(report, slotRefused(s, s.Evidence.Making.Slot.Failure))
	}
	return screen(report, t, &target, primary)
}

func failedAttempt(a facts.Attempt) bool {
	return a.Outcome == facts.AttemptFailed || a.Outcome == facts.AttemptUnknown
}

// publicationRefused says why the publication could not be made.
func publicationRefused(s subject, p server, f facts.Failure) check.Entry {
	name := quote.Identifier(s.slot.PublicationName)
	if f.Kind != facts.NotAnswered {
		return check.Fail(check.Connection, check.ConnectionLost, "the connection ended while publication "+name+" was made: "+unansweredBecause(f), "")
	}
	message, fix := "publication "+name+" can't be made by role "+quote.Identifier(p.Facts.Server.Role)+": "+refusedBecause(*f.Server), ""
	switch f.Server.SQLSTATE {
	case pgerrcode.InsufficientPrivilege:
		message, fix = message+asSuperuser, createPublication(*s.creation.Publication, name, p.Facts.Server.Major())+s.onPrimary()
	case pgerrcode.LockNotAvailable, pgerrcode.QueryCanceled:
		fix = "repeat the request when no session alters or vacuums the tables"
	case pgerrcode.UndefinedTable, pgerrcode.UndefinedObject, pgerrcode.InvalidSchemaName:
		return check.Fail(check.Publication, check.PublicationNotFound, message, "name tables and schemas that exist")
	}
	return check.Fail(check.Publication, check.PublicationCreateDenied, message, fix)
}

// refusedBecause says what the server's rejection of a statement that changes something
// means.
func refusedBecause(m facts.ServerMessage) string {
	detail := "SQLSTATE " + m.SQLSTATE + ": " + m.Message
	switch m.SQLSTATE {
	case pgerrcode.QueryCanceled:
		return "the server did not finish in time (" + detail + ")"
	case pgerrcode.LockNotAvailable:
		return "another session holds a lock (" + detail + ")"
	}
	return "the server refuses it with " + detail
}

// slotRefused says why the slot could not be made.
func slotRefused(s subject, f facts.Failure) check.Entry {
	name := slotName(s.slot)
	switch {
	case f.Kind == facts.NotAnsweredInTime:
		return slotBlocked(s)
	case f.Kind != facts.NotAnswered:
		return check.Fail(check.Connection, check.ConnectionLost, "the connection ended while "+name+" was made: "+unansweredBecause(f), "")
	case f.Server.SQLSTATE == pgerrcode.QueryCanceled, f.Server.SQLSTATE == pgerrcode.LockNotAvailable:
		return slotBlocked(s)
	case f.Server.SQLSTATE == pgerrcode.ConfigurationLimitExceeded:
		limit := s.numberSetting("max_replication_slots")
		return check.Fail(check.ReplicationSlot, check.NoSlotAvailable, name+" can't be made: "+slotsTaken(s, limit), s.setting("max_replication_slots", strconv.Itoa(max(1, 2*limit))))
	}
	return check.Fail(check.ReplicationSlot, check.SlotCreateDenied, name+" can't be made by role "+
		quote.Identifier(s.Facts.Server.SessionRole)+": "+refusedBecause(*f.Server), "")
}

// slotBlocked names the transactions that the creation of the slot waits for, and never
// what they do. On a standby they are the primary's.
func slotBlocked(s subject) check.Entry {
	given := slotName(s.slot) + " could not be made in time, and was given up: it waits for "
	message := given + "open transactions that have written"
	blocked := func(message, fix string) check.Entry {
		return check.Fail(check.ReplicationSlot, check.SlotCreateBlocked, message, fix)
	}
	b := s.publisher().Making.Blockers
	if (b == nil || b.Total == 0) && s.inRecovery() && s.primary.Making.SnapshotDenied {
		role := quote.Identifier(s.primary.Facts.Server.Role)
		return blocked(slotName(s.slot)+" could not be made in time, and was given up: on a standby it waits for the primary to log its running transactions, and role "+
			role+" may not make it do that", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_log_standby_snapshot() TO "+role+" -- on the primary, as a superuser")
	}
	if b == nil || b.Total == 0 {
		return blocked(message+", which have ended since or are not shown to the role", "repeat the request")
	}
	var holders, ends []string
	for _, h := range b.Holders {
		holder, end := describeBlocker(h)
		holders, ends = append(holders, holder), append(ends, end)
	}
	if b.Total == 1 && len(holders) == 1 {
		return blocked(given+"an open transaction that has written: "+holders[0], "end "+ends[0]+", or repeat the request when it has ended")
	}
	return blocked(message+": "+strings.Join(holders, ", ")+more(b.Total-len(holders)),
		"end "+strings.Join(ends, ", ")+", or repeat the request when they have ended")
}

func describeBlocker(b facts.Blocker) (holder, end string) {
	by := ""
	if b.Role != "" {
		by = " of role " + quote.Identifier(b.Role)
	}
	if b.Since != "" {
		by += " (since " + quote.Printable(b.Since) + ")"
	}
	if b.PID == 0 {
		prepared := "prepared transaction " + quote.Name(quote.Printable(b.Prepared))
		return prepared + by, "the " + prepared
	}
	pid := "PID " + strconv.FormatInt(b.PID, 10)
	return pid + by, "the transaction of " + pid
}
