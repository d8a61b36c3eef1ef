package judge

import (
	"strings"

	"github.com/jackc/pgerrcode"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
)

// poolerParts returns what tells a pooler, unless it rejected replication.
func poolerParts(s subject) []facts.Part {
	if s.rejectedWith(pgerrcode.ProtocolViolation) {
		return nil
	}
	return []facts.Part{facts.PartServer}
}

// judgePooler recognises a pooler by its rejection of a replication session, or by
// an ordinary backend where a walsender was requested. A backend whose PID differs
// from the one at login is no proof.
func judgePooler(s subject) []check.Entry {
	rejected := s.rejectedWith(pgerrcode.ProtocolViolation)
	replaced := s.Session.Kind == facts.WALSender && !s.IsWALSender()
	if !rejected && !replaced {
		return nil
	}
	return []check.Entry{check.Fail(check.Pooler, check.ConnectionPooler,
		"the address is that of a connection pooler, and replication does not pass through it", bypass(s.endpoint))}
}

// bypass says how to reach the server itself, in the provider's terms if the
// address shows whose it is.
func bypass(e database.Endpoint) string {
	const supabasePooler = 6543
	first, rest, _ := strings.Cut(e.Hostname, ".")
	if direct, ok := strings.CutSuffix(first, "-pooler"); ok {
		return `send "hostname": "` + direct + "." + rest + `"`
	}
	if e.Port == supabasePooler {
		return `send "port": 5432 and the host of the direct connection`
	}
	return "send the hostname and port of the server itself, not of the pooler"
}
