package judge

import "strings"

// provider is who runs a server, which decides how a setting is changed.
type provider int

const (
	selfHosted provider = iota
	rds                 // Amazon RDS, and Aurora
	cloudSQL
	azure
	neon
	supabase
)

// provider recognises a provider by settings that only its servers have.
func (s *server) provider() provider {
	if s.Facts.Server != nil && s.Facts.Server.Aurora {
		return rds
	}
	if s.Facts.Settings == nil {
		return providerOfHost(s.endpoint.Hostname)
	}
	has := func(name string) bool { return s.Facts.Settings.Value(name) != "" }
	switch {
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

// providerOfHost recognises a provider by the domain of its servers, for as long as
// there is no session.
func providerOfHost(hostname string) provider {
	host := "." + strings.ToLower(strings.TrimSuffix(hostname, "."))
	for _, p := range []struct {
		domain string
		provider
	}{
		{".rds.amazonaws.com", rds},
		{".rds.amazonaws.com.cn", rds},
		{".sql.goog", cloudSQL},
		{".postgres.database.azure.com", azure},
		{".neon.tech", neon},
		{".supabase.co", supabase},
		{".supabase.com", supabase},
	} {
		if strings.HasSuffix(host, p.domain) {
			return p.provider
		}
	}
	return selfHosted
}

// setting returns how to change a setting on this server. notes say what else has to
// be done, or where.
func (s *server) setting(name, value string, notes ...string) string {
	if s.provider() != selfHosted && s.pendingRestart(name) {
		return s.restart(name)
	}
	switch s.provider() {
	case rds:
		return "set " + name + " = " + value + " in the parameter group, and reboot if it says so"
	case cloudSQL:
		return "set the flag " + name + " = " + value
	case azure:
		return "set the server parameter " + name + " to " + value + ", and restart if it says so"
	case neon:
		return "ask Neon's support to set " + name + " to " + value
	case supabase:
		return "set " + name + " to " + value + " with postgres-config update of Supabase's command line"
	default:
		return s.alterSystem(name, value, notes...)
	}
}

// enableLogicalDecoding returns how to raise wal_level to logical on this server.
func (s *server) enableLogicalDecoding() string {
	switch s.provider() {
	case rds:
		return s.switchOn("rds.logical_replication", "set rds.logical_replication = 1 in the parameter group and reboot")
	case cloudSQL:
		return s.switchOn("cloudsql.logical_decoding", "set the flag cloudsql.logical_decoding = on; the instance restarts")
	case azure:
		return s.switchOn("wal_level", "set the server parameter wal_level to logical and restart")
	case neon:
		return "enable logical replication in the project's settings"
	case supabase: // its command line has no such setting
		return "ask Supabase's support to set wal_level to logical"
	default:
		return s.alterSystem("wal_level", "logical")
	}
}

// switchOn returns fix, or that only a restart is missing if the provider's setting
// called name is on already.
func (s *server) switchOn(name, fix string) string {
	if value := s.Facts.Settings.Value(name); value == "on" || value == "1" || s.pendingRestart("wal_level") || s.pendingRestart(name) {
		return s.restart(name)
	}
	return fix
}

// grantReplication returns the statement that lets role, an SQL identifier, start
// replication on this server. Only an administrator may run it.
func (s *server) grantReplication(role string) string {
	where := ""
	if s.inRecovery() {
		where = "on the primary"
	}
	switch s.provider() {
	case rds:
		return annotate("GRANT rds_replication TO "+role, "as a member of rds_superuser", where)
	case cloudSQL, azure, neon, supabase:
		return annotate("ALTER ROLE "+role+" REPLICATION", "as the provider's administrator", where)
	default:
		return annotate("ALTER ROLE "+role+" REPLICATION", "as a superuser", where)
	}
}
