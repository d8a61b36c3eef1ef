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
	// routineMethod is called if the method of the matching line in pg_hba.conf fails.
	routineMethod = "auth_failed"
)

// loginRejection returns what the server's rejection of a login means.
func loginRejection(s server, f facts.Failure) check.Entry {
	m := *f.Server
	role, db := quote.Identifier(s.endpoint.Username), quote.Identifier(s.endpoint.Database)
	fail := func(code check.Code, message, fix string) check.Entry {
		return check.Fail(check.Authentication, code, message, fix)
	}
	switch {
	case s.endpoint.ByIAM() && (m.SQLSTATE == pgerrcode.InvalidPassword || m.SQLSTATE == pgerrcode.InvalidAuthorizationSpecification && m.Routine == routineMethod):
		return fail(check.AuthenticationFailed, "the server does not accept a token for role "+role+
			": it does so for a member of rds_iam, if the instance has IAM database authentication on and this service's role may call rds-db:connect as that user",
			"GRANT rds_iam TO "+role)
	case m.SQLSTATE == pgerrcode.InvalidPassword:
		return fail(check.AuthenticationFailed, "the server does not accept this password for role "+role+", or has no such role", "")
	case m.SQLSTATE == pgerrcode.InvalidAuthorizationSpecification:
		return notAuthorized(s, f, role, db)
	case m.SQLSTATE == pgerrcode.InvalidCatalogName:
		return fail(check.DatabaseNotFound, "database "+db+" does not exist on this server", "")
	case m.SQLSTATE == pgerrcode.InsufficientPrivilege:
		return fail(check.ConnectionNotPermitted, "role "+role+" lacks the CONNECT privilege on database "+db+", which the database's owner can grant",
			"GRANT CONNECT ON DATABASE "+db+" TO "+role)
	case m.SQLSTATE == pgerrcode.TooManyConnections:
		return tooManyConnections(s, m, role, db)
	case m.SQLSTATE == pgerrcode.ObjectNotInPrerequisiteState && m.Routine == routineDatabase:
		return fail(check.ConnectionNotPermitted, "database "+db+" does not accept connections until its owner allows them",
			"ALTER DATABASE "+db+" ALLOW_CONNECTIONS true -- in another database, such as postgres")
	case m.SQLSTATE == pgerrcode.ReadOnlySQLTransaction: // nothing else writes at a login
		return fail(check.ServerError, "a login trigger of database "+db+" writes, and transactions there are read-only for this session, as they are on a standby: the server rejects the session with SQLSTATE "+
			m.SQLSTATE+": "+m.Message, "let the function of the login trigger write only where current_setting('transaction_read_only') is off")
	case m.SQLSTATE == pgerrcode.ProtocolViolation && m.Routine == "":
		return poolerRejection(m, role, db)
	case unavailable(m.SQLSTATE):
		return fail(check.ServerUnavailable, "the server accepts no sessions at the moment: "+m.Message, "")
	}
	return rejected(m)
}

func rejected(m facts.ServerMessage) check.Entry {
	return check.Fail(check.Authentication, check.ServerError, "the server rejected the session with SQLSTATE "+m.SQLSTATE+": "+m.Message, "")
}

// poolerRejection returns what a rejection by PgBouncer means, which up to 1.22 has the
// same SQLSTATE for all reasons. Its messages are in English only.
func poolerRejection(m facts.ServerMessage, role, db string) check.Entry {
	const through = ". Replication does not pass through a pooler: the server itself is needed"
	switch {
	case strings.Contains(m.Message, "authentication failed"), strings.Contains(m.Message, "auth failed"), strings.Contains(m.Message, "no such user"):
		return check.Fail(check.Authentication, check.AuthenticationFailed,
			"a connection pooler answers, and does not accept this password for role "+role+", or has no such role"+through, "")
	case strings.Contains(m.Message, "database") && strings.Contains(m.Message, "does not exist"), strings.Contains(m.Message, "no such database"):
		return check.Fail(check.Authentication, check.DatabaseNotFound, "a connection pooler answers, and has no database "+db+through, "")
	}
	return rejected(m)
}

// unavailable reports whether a SQLSTATE is of class 53, insufficient resources, or
// of subclass 57P: the server starts, stops, or ended the session.
func unavailable(sqlstate string) bool {
	return pgerrcode.IsInsufficientResources(sqlstate) || strings.HasPrefix(sqlstate, "57P")
}

// notAuthorized returns what SQLSTATE 28000 means, which servers raise for whatever
// pg_hba.conf and the role's attributes forbid.
func notAuthorized(s server, f facts.Failure, role, db string) check.Entry {
	fail := func(code check.Code, message, fix string) check.Entry {
		return check.Fail(check.Authentication, code, message, fix)
	}
	switch {
	case f.Server.Routine == routineRole:
		return roleRejected(f, role)
	case f.Server.Routine == routineMethod:
		return methodFailed(s, f, role, db)
	case !strings.Contains(f.Server.Message, hbaFile): // in every language, the messages about its lines name the file
		return clientCertificate(s, role, db)
	}
	return fail(check.ConnectionNotPermitted, "pg_hba.conf does not let role "+role+" into database "+db+" from here: "+f.Server.Message,
		admit(s, role, db))
}

// roleRejected tells a role without LOGIN from one that does not exist. A server that
// asks for a password rejects an unknown role as it does a wrong password.
func roleRejected(f facts.Failure, role string) check.Entry {
	fail := func(problem, fix string) check.Entry {
		return check.Fail(check.Authentication, check.ConnectionNotPermitted, "role "+role+problem, fix+" -- as a superuser")
	}
	create, alter := "CREATE ROLE "+role+" LOGIN REPLICATION", "ALTER ROLE "+role+" LOGIN"
	switch {
	case f.Request != facts.NoAuthRequest, strings.Contains(f.Server.Message, "not permitted to log in"):
		return fail(" may not log in", alter)
	case strings.Contains(f.Server.Message, "does not exist"):
		return fail(" does not exist", create)
	}
	return fail(" does not exist or may not log in", alter+", or "+create)
}

const hbaFile = "pg_hba.conf"

// methodFailed returns what it means that the method of the matching line rejects the
// role. A wrong password of the server's own has another SQLSTATE.
func methodFailed(s server, f facts.Failure, role, db string) check.Entry {
	switch {
	case f.Request == facts.CleartextRequest && s.provider() == rds:
		return check.Fail(check.Authentication, check.AuthenticationFailed,
			"the server does not accept this password for role "+role+
				": on RDS a member of the role rds_iam signs in with a token, and with no password",
			"send the username of a role that is not a member of rds_iam, with its password")
	case f.Request == facts.CleartextRequest:
		return check.Fail(check.Authentication, check.AuthenticationFailed,
			"the server passes the password of role "+role+" on to another service (PAM, LDAP or RADIUS), and that does not accept it",
			"send the password that the service has for the role, or set the method scram-sha-256 for the role in pg_hba.conf")
	}
	return check.Fail(check.Authentication, check.ConnectionNotPermitted,
		"the line of pg_hba.conf that matches role "+role+" and database "+db+" has a method that takes no password, such as ident or peer",
		admit(s, role, db))
}

// clientCertificate returns the finding about a line of pg_hba.conf with the method
// cert, or with the option clientcert.
func clientCertificate(s server, role, db string) check.Entry {
	return check.Fail(check.Authentication, check.ClientCertificateRequired,
		"the server asks role "+role+" for a client certificate, which is not supported here", admit(s, role, db))
}

// admit returns how to let the role in with a password. The server goes by the first
// line that matches.
func admit(s server, role, db string) string {
	if p := s.provider(); p != selfHosted {
		return "allow connections of role " + role + " to database " + db + " with a password in the settings of the server's provider"
	}
	kind := "host"
	if s.endpoint.SSL || s.TLSOnly {
		kind = "hostssl"
	}
	// The file has no escapes for what a name can't show.
	if quote.Escaped(s.endpoint.Username) || quote.Escaped(s.endpoint.Database) {
		db, role = `"<the database>"`, `"<the role>"`
	}
	line := kind + " " + db + " " + role + " <this service's address>/32 scram-sha-256"
	return "add the line `" + line + "` to pg_hba.conf above the first line that matches the role, the database and the address, then reload the server"
}

func tooManyConnections(s server, m facts.ServerMessage, role, db string) check.Entry {
	message, fix := "the server has no connection left", "close idle connections, or raise max_connections and restart the server"
	switch m.Routine {
	case routineRole:
		message, fix = "role "+role+" has reached its connection limit, which a superuser can raise", raiseLimit("ROLE", "pg_roles", "rol", "usename", s.endpoint.Username)
	case routineDatabase:
		message = "database " + db + " has reached its connection limit, which its owner can raise"
		fix = annotate(raiseLimit("DATABASE", "pg_database", "dat", "datname", s.endpoint.Database), "in another database, such as postgres")
	}
	return check.Fail(check.Authentication, check.TooManyConnections, message, fix)
}

// raiseLimit returns a block that raises the connection limit of a role or a database,
// which the server does not tell when it is reached, by enough for a consumer. Its
// catalog has columns with this prefix, and pg_stat_activity has its name in column.
func raiseLimit(kind, catalog, prefix, column, name string) string {
	const room = "10"
	limit := "GREATEST(c." + prefix + "connlimit, (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a." + column + " = c." + prefix + "name)) + " + room
	return "DO " + quote.Literal("DECLARE statement text; BEGIN FOR statement IN SELECT pg_catalog.format("+quote.Literal("ALTER "+kind+" %I CONNECTION LIMIT %s")+
		", c."+prefix+"name, "+limit+") FROM pg_catalog."+catalog+" c WHERE c."+prefix+"name = "+quote.Literal(name)+" AND c."+prefix+"connlimit >= 0 LOOP EXECUTE statement; END LOOP; END")
}
