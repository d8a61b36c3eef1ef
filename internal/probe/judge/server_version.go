package judge

import (
	"strconv"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
)

// major returns the server's major version, 0 if it is not known.
func (s *server) major() int {
	if s.Session.Major == 0 && s.Facts.Server != nil {
		return s.Facts.Server.Major()
	}
	return s.Session.Major
}

func versionMatters(s subject) bool { return s.major() != 0 || session(s) }

// versionParts returns what tells the version, unless the server sent it at login.
func versionParts(s subject) []facts.Part {
	if s.major() != 0 {
		return nil
	}
	return []facts.Part{facts.PartServer}
}

func judgeServerVersion(s subject) []check.Entry {
	if s.major() >= facts.MinMajor {
		return nil
	}
	return []check.Entry{check.Fail(check.ServerVersion, check.UnsupportedServerVersion,
		"the server is PostgreSQL "+strconv.Itoa(s.major())+"; the oldest supported version is "+strconv.Itoa(facts.MinMajor),
		"upgrade the server to a supported major version")}
}
