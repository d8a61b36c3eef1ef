package judge

import "strings"

// commandLine is pg_settings.source of a setting that no file changes.
const commandLine = "command line"

// alterSystem returns how to change a setting of a server that its owner runs: with
// ALTER SYSTEM where that has an effect.
func (s *server) alterSystem(name, value string, notes ...string) string {
	facts := s.Facts.Server
	origin := facts.SettingOrigins[name]
	then := "then restart " + s.noun()
	if origin.Context == "sighup" {
		then = "then SELECT pg_reload_conf()"
	}
	switch {
	case s.pendingRestart(name):
		return s.restart(name)
	case origin.Source == commandLine:
		return "set " + name + " = " + value + " on the command line that starts " + s.noun() +
			", such as postgres -c or Patroni's configuration, where it wins over ALTER SYSTEM; " + strings.Join(append(notes, then), ", ")
	case facts.Settings["allow_alter_system"] == "off":
		return "set " + name + " = " + value + " in the configuration of " + s.noun() +
			", such as postgresql.conf or the operator's manifest, because allow_alter_system is off; " + strings.Join(append(notes, then), ", ")
	}
	var who string
	if !facts.Superuser || facts.Role != facts.SessionRole {
		who = "as a superuser"
	}
	return annotate("ALTER SYSTEM SET "+name+" = "+value, append(append([]string{who, s.where()}, notes...), then)...)
}

// pendingRestart reports whether a new value of the setting waits for a restart.
func (s *server) pendingRestart(name string) bool {
	return s.Facts.Server.SettingOrigins[name].PendingRestart
}

// restart returns the fix for a setting whose new value waits for a restart.
func (s *server) restart(name string) string {
	return "restart " + s.noun() + ": a new value of " + name + " waits for that"
}

// noun returns what to call the server.
func (s *server) noun() string {
	switch {
	case s.path != "":
		return "the primary"
	case s.inRecovery():
		return "the standby"
	}
	return "the server"
}

// where returns on which server a statement is run, empty if there is only one.
func (s *server) where() string {
	if noun := s.noun(); noun != "the server" {
		return "on " + noun
	}
	return ""
}

// annotate returns a statement with a comment that has the notes that are not empty.
func annotate(sql string, notes ...string) string {
	comment := ""
	for _, n := range notes {
		switch {
		case n == "":
		case comment == "":
			comment = " -- " + n
		default:
			comment += ", " + n
		}
	}
	return sql + comment
}
