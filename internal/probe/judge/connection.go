package judge

import (
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
)

const checkHostAndPort = "check that hostname and port are those of a Postgres server"

func judgeConnection(s subject) []check.Entry { return connectionFindings(s.server) }

func connectionFindings(s server) []check.Entry {
	if f := s.StoppedAt(facts.Connected); f != nil {
		return []check.Entry{connectionFailure(s, *f)}
	}
	if s.Lost != nil {
		return []check.Entry{connectionFailure(s, *s.Lost)}
	}
	return unreadableAnswer(s)
}

// unreadableAnswer reports a required answer that no Postgres server gives.
func unreadableAnswer(s server) []check.Entry {
	for _, p := range facts.TargetParts() {
		if s.Unanswered[p].Kind == facts.AnswerUnreadable && !p.Optional() {
			return []check.Entry{check.Fail(check.Connection, check.NotPostgres,
				"the server's answer about the "+string(p)+" is not one that a Postgres server gives", checkHostAndPort)}
		}
	}
	return nil
}

func connectionFailure(s server, f facts.Failure) check.Entry {
	fail := func(code check.Code, message, fix string) check.Entry {
		return check.Fail(check.Connection, code, message, fix)
	}
	switch f.Kind {
	case facts.DialRefused:
		return fail(check.ConnectionRefused, "nothing listens at "+s.address()+": the connection was refused",
			"check hostname and port, and listen_addresses on the server")
	case facts.DialUnreachable:
		return fail(check.NetworkUnreachable, "there is no route to "+s.address()+" from here"+ipv6Hint(f), "")
	case facts.DialTimedOut:
		return fail(check.ConnectionTimeout, s.address()+" did not answer in time",
			"let this service's addresses through the firewall or security group in front of the server")
	case facts.NeverAnswered:
		return fail(check.ConnectionTimeout, "the server accepted the connection and then did not answer in time", checkHostAndPort)
	case facts.OutOfTime:
		return fail(check.ConnectionTimeout, "this service was too busy to talk to the server in time", "try again later")
	case facts.NotPostgres:
		return fail(check.NotPostgres, "the server does not speak the Postgres protocol", checkHostAndPort)
	}
	return fail(check.ConnectionLost, lost(s, f), "")
}

// address returns the server's host and port as the caller sent them.
func (s *server) address() string {
	host := s.endpoint.Hostname
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(s.endpoint.Port)
}

// lost says how the connection ended.
func lost(s server, f facts.Failure) string {
	switch f.Kind {
	case facts.DialFailed:
		return "the connection to " + s.address() + " could not be opened"
	case facts.FellSilent:
		return "the server stopped answering"
	case facts.Flooded:
		return "the server sent far more than it was asked for"
	case facts.Closed:
		return "the server closed the connection"
	case facts.Terminated:
		return "the server ended the session with SQLSTATE " + f.Server.SQLSTATE + ": " + f.Server.Message
	default: // facts.ProtocolViolated
		return "the server sent a message that is not part of the Postgres protocol"
	}
}

func ipv6Hint(f facts.Failure) string {
	if f.IPv6 {
		return "; IPv6 needs a deployment in a dual-stack VPC"
	}
	return ""
}
