package judge

import (
	"strings"

	"github.com/headgate/headgate/internal/probe/facts"
)

// commandLine is pg_settings.source of a setting that no file changes.
const commandLine = "command line"

// alterSystem returns how to change a setting of a server that its owner runs: with
// ALTER SYSTEM where that has an effect.
func (s *server) alterSystem(name, value string, notes ...string) string {
	then := "then restart " + s.noun()
	if s.origin(name).Context == "sighup" {
		then = "then SELECT pg_reload_conf()"
	}
	server := s.Facts.Server
	switch {
	case s.origin(name).Source == commandLine:
		return "set " + name + " = " + value + " on the command line that starts " + s.noun() +
			", such as postgres -c or Patroni's configuration, where it wins over ALTER SYSTEM; " + strings.Join(append(notes, then), ", ")
	case s.pendingRestart(name): // of a file, which the command line wins over
		return s.restart(name)
	case s.Facts.Settings.Value("allow_alter_system") == "off":
		return "set " + name + " = " + value + " in the configuration of " + s.noun() +
			", such as postgresql.conf or the operator's manifest, because allow_alter_system is off; " + strings.Join(append(notes, then), ", ")
	}
	who := "as a superuser"
	if server != nil && server.Superuser && server.Role == server.SessionRole {
		who = "" // the caller's role is one
	}
	return annotate("ALTER SYSTEM SET "+name+" = "+value, append(append([]string{who, s.where()}, notes...), then)...)
}

// origin returns where the value of a setting comes from, as far as is known.
func (s *server) origin(name string) facts.Setting {
	return s.Facts.Settings[name]
}

// pendingRestart reports whether a new value of the setting waits for a restart.
func (s *server) pendingRestart(name string) bool { return s.origin(name).PendingRestart }

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
