package database

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/headgate/headgate/internal/strictjson"
)

// location has the parts of a connection URL.
type location struct {
	hostname, database, username, password string
	port                                   int
}

// parseURL reads a connection URL and returns what is wrong with it. No message
// repeats a part of the URL, because it has a password. net/url is not used: it
// accepts invalid hosts, ports and escapes, and its errors quote the URL.
func parseURL(s string) (location, []string) {
	rest, ok := strings.CutPrefix(s, "postgresql://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "postgres://")
	}
	if !ok {
		return location{}, []string{"must start with postgres:// or postgresql://"}
	}
	var u urlReader
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		u.fail("must not have a query or a fragment: TLS is set by ssl and ssl_mode, and a ? or # in a password is written %3F or %23")
		rest = rest[:i]
	}
	authority, path, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 && strings.Contains(path, "@") {
		u.fail("has a / before the host: in a user name or a password it is written %2F")
		return location{}, u.problems
	}
	var user, password string
	host := authority
	if at >= 0 {
		user, password, _ = strings.Cut(authority[:at], ":")
		host = authority[at+1:]
	}
	loc := location{
		username: u.part("user", user, identifierRule),
		password: u.part("password", password, passwordRule),
		database: u.part("database", path, identifierRule),
	}
	loc.hostname, loc.port = u.host(host)
	return loc, u.problems
}

type urlReader struct{ problems []string }

func (u *urlReader) fail(message string) { u.problems = append(u.problems, message) }

// part returns a percent-encoded part of the URL, decoded.
func (u *urlReader) part(name, raw string, rule strictjson.Rule[string]) string {
	if raw == "" {
		u.fail("is missing the " + name)
		return ""
	}
	s, err := url.PathUnescape(raw)
	if err != nil || !utf8.ValidString(s) {
		u.fail("has a wrong percent-encoding in the " + name + "; a % itself is written %25")
		return ""
	}
	if problem := rule(s); problem != "" {
		u.fail("has a " + name + " that " + problem)
		return ""
	}
	return s
}

// host returns the host and the port of the URL.
func (u *urlReader) host(s string) (string, int) {
	name, port, hasPort := s, "", false
	if inner, ok := strings.CutPrefix(s, "["); ok {
		var after string
		name, after, ok = strings.Cut(inner, "]")
		port, hasPort = strings.CutPrefix(after, ":")
		if !ok || !hasPort && after != "" || !strings.Contains(name, ":") {
			u.fail("has a host that must be an IPv6 address in brackets")
			return "", 0
		}
	} else {
		name, port, hasPort = strings.Cut(s, ":")
		if strings.Contains(port, ":") {
			u.fail("has a host with more than one colon: an IPv6 address goes into brackets")
			return "", 0
		}
	}
	if name == "" {
		u.fail("is missing the host")
	} else if problem := hostnameRule(name); problem != "" {
		u.fail("has a host that " + problem)
	}
	if !hasPort {
		return name, DefaultPort
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		u.fail("has a port that must be between 1 and 65535")
	}
	return name, int(n)
}
