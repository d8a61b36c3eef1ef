package judge

import (
	"strings"

	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// The server's functions that raise 28000, 53300 and 55000 for more than one
// reason.
const (
	routineRole     = "InitializeSessionUserId"
	routineDatabase = "CheckMyDatabase"
)

// loginRejection returns what the server's rejection of a login means.
func loginRejection(s server, m facts.ServerMessage) check.Entry {
	role, db := quote.Identifier(s.endpoint.Username), quote.Identifier(s.endpoint.Database)
	fail := func(code check.Code, message, fix string) check.Entry {
		return check.Fail(check.Authentication, code, message, fix)
	}
	switch {
	case m.SQLSTATE == pgerrcode.InvalidPassword:
		return fail(check.AuthenticationFailed, "the server does not accept this password for role "+role+", or has no such role", "")
	case m.SQLSTATE == pgerrcode.InvalidAuthorizationSpecification:
		return notAuthorized(s, m, role, db)
	case m.SQLSTATE == pgerrcode.InvalidCatalogName:
		return fail(check.DatabaseNotFound, "database "+db+" does not exist on this server", "")
	case m.SQLSTATE == pgerrcode.InsufficientPrivilege:
		return fail(check.ConnectionNotPermitted, "role "+role+" lacks the CONNECT privilege on database "+db,
			"GRANT CONNECT ON DATABASE "+db+" TO "+role)
	case m.SQLSTATE == pgerrcode.TooManyConnections:
		return tooManyConnections(m, role, db)
	case m.SQLSTATE == pgerrcode.ObjectNotInPrerequisiteState && m.Routine == routineDatabase:
		return fail(check.ConnectionNotPermitted, "database "+db+" does not accept connections",
			"ALTER DATABASE "+db+" ALLOW_CONNECTIONS true -- in another database, such as postgres")
	case unavailable(m.SQLSTATE):
		return fail(check.ServerUnavailable, "the server accepts no sessions at the moment: "+m.Message, "")
	}
	return fail(check.ServerError, "the server rejected the session with SQLSTATE "+m.SQLSTATE+": "+m.Message, "")
}

// unavailable reports whether a SQLSTATE is of class 53, insufficient resources, or
// of subclass 57P: the server starts, stops, or ended the session.
func unavailable(sqlstate string) bool {
	return pgerrcode.IsInsufficientResources(sqlstate) || strings.HasPrefix(sqlstate, "57P")
}

func notAuthorized(s server, m facts.ServerMessage, role, db string) check.Entry {
	if m.Routine == routineRole {
		return check.Fail(check.Authentication, check.ConnectionNotPermitted,
			"role "+role+" does not exist or may not log in", "ALTER ROLE "+role+" LOGIN")
	}
	kind := "host"
	if s.endpoint.SSL || s.TLSOnly {
		kind = "hostssl"
	}
	line := kind + " " + db + " " + role + " <this service's address>/32 scram-sha-256"
	return check.Fail(check.Authentication, check.ConnectionNotPermitted,
		"pg_hba.conf does not let role "+role+" into database "+db+" from here: "+m.Message,
		"add a line such as `"+line+"` to pg_hba.conf and reload the server")
}

func tooManyConnections(m facts.ServerMessage, role, db string) check.Entry {
	message, fix := "the server has no connection left", "close idle connections, or raise max_connections and restart the server"
	switch m.Routine {
	case routineRole:
		message, fix = "role "+role+" has reached its connection limit", "ALTER ROLE "+role+" CONNECTION LIMIT -1"
	case routineDatabase:
		message, fix = "database "+db+" has reached its connection limit", "ALTER DATABASE "+db+" CONNECTION LIMIT -1"
	}
	return check.Fail(check.Authentication, check.TooManyConnections, message, fix)
}
