package judge

import (
	"strconv"

	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
)

// walSendersParts returns what tells the number of free walsenders, unless the server
// rejected a walsender for want of one.
func walSendersParts(s subject) []facts.Part {
	if s.rejectedWith(pgerrcode.TooManyConnections) {
		return nil
	}
	return []facts.Part{facts.PartServer, facts.PartSettings, facts.PartWALSenders}
}

// maxWALSenders returns the setting of that name, and whether it is known.
func (s *server) maxWALSenders() (int, bool) {
	n, err := strconv.Atoi(s.Facts.Settings.Value("max_wal_senders"))
	return n, err == nil
}

// judgeWALSenders counts the walsenders in use. The probe's own is one of them, and
// is free again afterwards. Who reads the slot has one already.
func judgeWALSenders(s subject) []check.Entry {
	limit, known := s.maxWALSenders()
	full := known && s.Facts.WALSenders != nil && *s.Facts.WALSenders >= limit
	if s.rejectedWith(pgerrcode.TooManyConnections) || full && !s.IsWALSender() {
		if slot := s.Facts.FoundSlot(); slot != nil && slot.Active && !slot.BeingCreated() && !s.wrongDatabase() {
			return []check.Entry{check.Warn(check.WALSenders, check.WALSendersLow,
				"the server has no walsender left besides that of the process that reads "+slotName(s.slot)+reader(slot), raiseWALSenders(s.server, limit))}
		}
		message := "the server has no walsender left"
		if known {
			message += " (max_wal_senders is " + strconv.Itoa(limit) + ")"
		}
		return []check.Entry{check.Fail(check.WALSenders, check.NoWALSenderAvailable, message, raiseWALSenders(s.server, limit))}
	}
	if full {
		inUse := "all " + strconv.Itoa(limit) + " walsenders of the server are in use, including the one of this check"
		if limit == 1 {
			inUse = "this check uses the only walsender of the server"
		}
		return []check.Entry{check.Warn(check.WALSenders, check.WALSendersLow,
			inUse, raiseWALSenders(s.server, limit))}
	}
	return nil
}

// WALSenderFreed reports whether t's server rejected a walsender for want of one, and
// then had one that was free.
func WALSenderFreed(t database.Target, target facts.Evidence) bool {
	s := newSubject(t, target, nil)
	limit, known := s.maxWALSenders()
	return s.rejectedWith(pgerrcode.TooManyConnections) && known && s.Facts.WALSenders != nil && *s.Facts.WALSenders < limit
}

// raiseWALSenders doubles the limit, and sets at least Postgres's default. A hot
// standby stops replaying if its limit is lower than its primary's. A limit that is not
// known could be lowered by a number, and a server does not start with any if its
// wal_level is minimal.
func raiseWALSenders(s server, limit int) string {
	const defaultLimit = 10
	if _, known := s.maxWALSenders(); !known {
		return "raise max_wal_senders, with wal_level = logical, and restart " + s.noun()
	}
	note := "after its standbys if it has any"
	if s.inRecovery() {
		note = ""
	}
	return s.setting("max_wal_senders", strconv.Itoa(max(defaultLimit, 2*limit)), note)
}
