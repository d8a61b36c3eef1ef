package probe

import (
	"strconv"

	"github.com/headgate/headgate/internal/check"
)

// judgeWALLevel looks at the primary too where the target is a standby: its WAL
// is what the standby decodes.
func judgeWALLevel(e evidence, primary *evidence) verdict {
	if e.facts.Server == nil {
		return skipped()
	}
	findings := []*check.Entry{walLevel(e, "the server")}
	if primary != nil && primary.facts.Server != nil && e.facts.Server.InRecovery {
		findings = append(findings, walLevel(*primary, "the primary"))
	}
	return found(findings...)
}

// walLevel prefers effective_wal_level (from 19), where a logical slot is enough
// for logical decoding.
func walLevel(e evidence, whose string) *check.Entry {
	settings := e.facts.Server.Settings
	level, ok := settings["effective_wal_level"]
	if !ok {
		level = settings["wal_level"]
	}
	if level == "logical" || settings["wal_level"] == "logical" {
		return nil
	}
	fix := "ALTER SYSTEM SET wal_level = 'logical' -- then restart the server"
	switch e.provider() {
	case rds, aurora:
		fix = "set rds.logical_replication = 1 in the parameter group and reboot"
	case cloudSQL:
		fix = "set the flag cloudsql.logical_decoding = on; the instance restarts"
	case azure:
		fix = "set the server parameter wal_level to logical and restart"
	case neon:
		fix = "enable logical replication in the project's settings"
	}
	return failed(check.WALLevel, check.WALLevelNotLogical,
		"wal_level of "+whose+" is "+quoteName(printable(level))+"; logical decoding needs \"logical\"", fix)
}

// judgeReplicationRole trusts the walsender session above all: being let in
// settles the question whatever the provider's role model.
func judgeReplicationRole(e evidence) verdict {
	s := e.facts.Server
	denied := e.refused != nil && e.refused.pgErr.Code == stateInsufficientPrivilege
	if !denied {
		switch {
		case e.isWALSender():
			return found()
		case s == nil:
			return skipped()
		case s.Superuser, s.Replication, s.RDSReplication:
			return found()
		}
	}
	role := "the role"
	fix := ""
	if s != nil {
		role = "role " + quoteIdentifier(s.Role)
		fix = "ALTER ROLE " + quoteIdentifier(s.Role) + " REPLICATION"
		if p := e.provider(); p == rds || p == aurora {
			fix = "GRANT rds_replication TO " + quoteIdentifier(s.Role)
		}
	}
	return found(failed(check.ReplicationRole, check.ReplicationNotPermitted, role+" may not start replication", fix))
}

// isWALSender tells whether the session is what was asked for.
func (e *evidence) isWALSender() bool {
	s := e.facts.Server
	return e.mode == walsender && (s == nil || s.BackendType == "" || s.BackendType == "walsender")
}

// judgeWALSenders counts the walsenders in use. A session of our own is one of
// them, and leaves its place to whoever comes next.
func judgeWALSenders(e evidence) verdict {
	most, known := 0, false
	if s := e.facts.Server; s != nil {
		n, err := strconv.Atoi(s.Settings["max_wal_senders"])
		most, known = n, err == nil
	}
	refused := e.refused != nil && e.refused.pgErr.Code == stateTooManyConnections
	inUse := e.facts.WALSenders
	full := known && inUse != nil && *inUse >= most
	switch {
	case refused, full && !e.isWALSender():
		return found(noWALSender(e, most, known))
	case !known || inUse == nil:
		return skipped()
	case full:
		return found(warned(check.WALSenders, check.WALSendersLow,
			"all "+strconv.Itoa(most)+" walsenders of the server are in use, this check's own included", raiseWALSenders(e, most)))
	}
	return found()
}

func noWALSender(e evidence, most int, known bool) *check.Entry {
	message := "the server has no walsender left"
	if known {
		message += " (max_wal_senders is " + strconv.Itoa(most) + ")"
	}
	return failed(check.WALSenders, check.NoWALSenderAvailable, message, raiseWALSenders(e, most))
}

// raiseWALSenders has room for what is in use now and as much again.
func raiseWALSenders(e evidence, most int) string {
	const smallest = 10 // Postgres's own default
	return e.change("max_wal_senders", strconv.Itoa(max(smallest, 2*most)), "then restart the server")
}
