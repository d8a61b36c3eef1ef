package judge

import (
	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// roleParts returns what tells whether the role may replicate, unless the outcome of
// the login does.
func roleParts(s subject) []facts.Part {
	if s.rejectedWith(pgerrcode.InsufficientPrivilege) || s.IsWALSender() {
		return nil
	}
	return []facts.Part{facts.PartServer}
}

// judgeReplicationRole prefers the outcome of the walsender session, which is
// certain whatever the provider's role model. Attributes are those of the role that
// logs in, whatever role it is set to.
func judgeReplicationRole(s subject) []check.Entry {
	server := s.Facts.Server
	if !s.rejectedWith(pgerrcode.InsufficientPrivilege) &&
		(s.IsWALSender() || server.Superuser || server.Replication || server.RDSReplication) {
		return nil
	}
	role, fix := "the role", ""
	if server != nil {
		name := quote.Identifier(server.SessionRole)
		role, fix = "role "+name, s.grantReplication(name)
	}
	return []check.Entry{check.Fail(check.ReplicationRole, check.ReplicationNotPermitted, role+" may not start replication", fix)}
}
