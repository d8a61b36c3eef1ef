package probe

import (
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs that decide something here.
const (
	stateInvalidPassword       = "28P01"
	stateInvalidAuthorization  = "28000"
	stateInvalidCatalogName    = "3D000"
	stateInsufficientPrivilege = "42501"
	stateTooManyConnections    = "53300"
	stateProtocolViolation     = "08P01"
	stateNotInPrerequisite     = "55000"
	stateUndefinedObject       = "42704"
	classInsufficientResources = "53"
	classOperatorIntervention  = "57P"
)

// The server's functions that raise 28000, 42501 and 53300 for more than one
// reason: unlike the text, their names are the same in every language.
const (
	inRoleLogin     = "InitializeSessionUserId"
	inDatabaseCheck = "CheckMyDatabase"
)

// serverRefusal is what a server's refusal of a login means.
func serverRefusal(l login, e *pgconn.PgError) *check.Entry {
	role, db := quoteIdentifier(l.endpoint.Username), quoteIdentifier(l.endpoint.Database)
	fail := func(code check.Code, message, fix string) *check.Entry {
		return failed(check.Authentication, code, message, fix)
	}
	switch {
	case e.Code == stateInvalidPassword:
		return fail(check.AuthenticationFailed, "the server does not accept this password for role "+role+
			", or has no such role", "")
	case e.Code == stateInvalidAuthorization && e.Routine == inRoleLogin:
		return fail(check.ConnectionNotPermitted, "role "+role+" does not exist or may not log in", "ALTER ROLE "+role+" LOGIN")
	case e.Code == stateInvalidAuthorization:
		return fail(check.ConnectionNotPermitted, "pg_hba.conf does not let role "+role+" into database "+db+" from here: "+said(l, e),
			"add a line such as `"+hbaLine(l)+"` to pg_hba.conf and reload the server")
	case e.Code == stateInvalidCatalogName:
		return fail(check.DatabaseNotFound, "database "+db+" does not exist on this server", "")
	case e.Code == stateInsufficientPrivilege:
		return fail(check.ConnectionNotPermitted, "role "+role+" lacks the CONNECT privilege on database "+db,
			"GRANT CONNECT ON DATABASE "+db+" TO "+role)
	case e.Code == stateTooManyConnections:
		return tooMany(e, role, db)
	case e.Code == stateNotInPrerequisite && e.Routine == inDatabaseCheck:
		return fail(check.ConnectionNotPermitted, "database "+db+" does not accept connections",
			"ALTER DATABASE "+db+" ALLOW_CONNECTIONS true -- in another database, such as postgres")
	case strings.HasPrefix(e.Code, classOperatorIntervention), strings.HasPrefix(e.Code, classInsufficientResources):
		return fail(check.ServerUnavailable, "the server takes no sessions at the moment: "+said(l, e), "")
	}
	return fail(check.ServerError, "the server refused the session with SQLSTATE "+printable(e.Code)+": "+said(l, e), "")
}

func tooMany(e *pgconn.PgError, role, db string) *check.Entry {
	message, fix := "the server has no connection left", "close connections that idle, or raise max_connections and restart the server"
	switch e.Routine {
	case inRoleLogin:
		message, fix = "role "+role+" has reached its connection limit", "ALTER ROLE "+role+" CONNECTION LIMIT -1"
	case inDatabaseCheck:
		message, fix = "database "+db+" has reached its connection limit", "ALTER DATABASE "+db+" CONNECTION LIMIT -1"
	}
	return failed(check.Authentication, check.TooManyConnections, message, fix)
}

// said is the server's own message. A server that repeats the password it was
// given is not quoted.
func said(l login, e *pgconn.PgError) string {
	if password := l.password.Reveal(); password != "" && strings.Contains(e.Message, password) {
		return "its message is not repeated here"
	}
	return printable(e.Message)
}

func hbaLine(l login) string {
	kind := "host"
	if l.endpoint.SSL {
		kind = "hostssl"
	}
	return kind + " " + quoteIdentifier(l.endpoint.Database) + " " + quoteIdentifier(l.endpoint.Username) +
		" <this service's address>/32 scram-sha-256"
}

// nextBest is the mode to try where m was refused with e, so that the report is
// complete; m itself where that is not worth a try, because what refused it
// refuses every session alike.
func nextBest(m mode, e *pgconn.PgError) mode {
	switch {
	case e == nil, e.Code == stateInvalidPassword, e.Code == stateInvalidAuthorization, e.Code == stateInvalidCatalogName,
		strings.HasPrefix(e.Code, classOperatorIntervention):
		return m
	case e.Code == stateProtocolViolation:
		return bare
	}
	return ordinary
}
