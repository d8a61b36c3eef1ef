package probe

import (
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// provider is who runs a server.
type provider int

const (
	selfHosted provider = iota
	rds
	aurora
	cloudSQL
	azure
	neon
	supabase
)

// providerOf goes by settings that only one provider has.
func providerOf(s *serverFacts) provider {
	has := func(name string) bool { return s.Settings[name] != "" }
	switch {
	case s.Aurora:
		return aurora
	case has("rds.extensions"):
		return rds
	case has("cloudsql.logical_decoding"):
		return cloudSQL
	case has("azure.extensions"):
		return azure
	case has("neon.endpoint_id"):
		return neon
	case has("supautils.privileged_extensions"):
		return supabase
	}
	return selfHosted
}

const thenReload = "then SELECT pg_reload_conf()"

// change is how a setting is changed on the server that e is of; then is what
// else that takes where it is done in SQL.
func (e *evidence) change(setting, value, then string) string {
	switch e.provider() {
	case rds, aurora:
		return "set " + setting + " = " + value + " in the parameter group, and reboot if it says so"
	case cloudSQL:
		return "set the flag " + setting + " = " + value
	case azure:
		return "set the server parameter " + setting + " to " + value + ", and restart if it says so"
	case neon:
		return "ask Neon's support to set " + setting + " to " + value
	case supabase:
		return "set " + setting + " to " + value + " with postgres-config update of Supabase's command line"
	}
	return "ALTER SYSTEM SET " + setting + " = " + value + " -- " + then
}

// judgePooler finds poolers by their refusal of a replication session, and by
// what else they betray: a backend of another PID, that is no walsender though
// one was asked for. A differing PID alone is no proof.
func judgePooler(t database.Target, e evidence) verdict {
	if e.reached < loggedIn || e.unsupported() {
		return skipped()
	}
	refused := e.refused != nil && e.refused.pgErr.Code == stateProtocolViolation
	s := e.facts.Server
	if s == nil && !refused {
		return skipped()
	}
	behind := e.mode == walsender && !e.isWALSender()
	if !refused && !behind {
		return found()
	}
	return found(failed(check.Pooler, check.ConnectionPooler,
		"a connection pooler answers there, and replication does not pass through one", directly(t.Endpoint)))
}

// directly says how to go round the pooler, in the provider's own terms where
// the address gives it away.
func directly(e database.Endpoint) string {
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
