package judge

import (
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
)

// subject is what the checks look at.
type subject struct {
	server

	// primary is nil if the target has none.
	primary *server
	slot    database.Slot
}

// server is the evidence about one server, with what the caller said about it.
type server struct {
	facts.Evidence

	endpoint database.Endpoint
	// path is the prefix of the endpoint's fields in the payload.
	path string
}

// row is one check. It is skipped unless needs holds; it passes if judge returns no
// findings.
type row struct {
	name  string
	needs func(subject) bool
	judge func(subject) []check.Entry
}

// checks returns all checks in the order of the report.
func checks() []row {
	return []row{
		{check.Address, always, judgeAddress},
		{check.Connection, tried(facts.Connected), judgeConnection},
		{check.TLS, tlsMatters, judgeTLS},
		{check.Authentication, tried(facts.LoggedIn), judgeAuthentication},
		{check.Pooler, poolerKnown, judgePooler},
		{check.ServerVersion, versionKnown, judgeServerVersion},
		{check.Standby, standbyMatters, judgeStandby},
		{check.WALLevel, answered(facts.PartServer), judgeWALLevel},
		{check.ReplicationRole, replicationKnown, judgeReplicationRole},
		{check.WALSenders, walSendersKnown, judgeWALSenders},
		{check.Publication, answered(facts.PartPublication), judgePublication},
		{check.ReplicationSlot, answered(facts.PartSlot), judgeSlot},
		{check.PublicationOrder, orderMatters, judgeOrder},
		{check.Tables, tablesKnown, judgeTables},
	}
}

// Report returns the report on t. primary is the evidence about t's primary, nil if
// it has none.
func Report(t database.Target, target facts.Evidence, primary *facts.Evidence) check.Report {
	s := subject{server: server{Evidence: target, endpoint: t.Endpoint}, slot: t.Slot}
	if primary != nil && t.Primary != nil {
		s.primary = &server{Evidence: *primary, endpoint: *t.Primary, path: "primary."}
	}
	var report check.Report
	for _, r := range checks() {
		if !r.needs(s) {
			report = append(report, check.Entry{Name: r.name, Status: check.Skipped})
			continue
		}
		findings := r.judge(s)
		if len(findings) == 0 {
			report = append(report, check.Entry{Name: r.name, Status: check.Passed})
		}
		report = append(report, findings...)
	}
	return screen(report, t, &target, primary)
}

func always(subject) bool { return true }

// tried holds if the stage was attempted.
func tried(stage facts.Stage) func(subject) bool {
	return func(s subject) bool { return s.Tried(stage) }
}

// session holds if there is a session with a supported server.
func session(s subject) bool { return s.Reached == facts.LoggedIn && s.Supported() }

// answered holds if the session answered all of parts.
func answered(parts ...facts.Part) func(subject) bool {
	return func(s subject) bool {
		for _, p := range parts {
			if !s.Facts.Answered(p) {
				return false
			}
		}
		return session(s)
	}
}

// failure returns why s was not asked, or not asked everything, as a failed check;
// nil if nothing failed.
func (s *server) failure() *check.Entry {
	for _, findings := range [][]check.Entry{
		addressFindings(*s), connectionFindings(*s), tlsFindings(*s), authenticationFindings(*s),
	} {
		if len(findings) > 0 {
			return &findings[0]
		}
	}
	return nil
}

// inRecovery reports whether the server is known to be a standby.
func (s *server) inRecovery() bool { return s.Facts.Server != nil && s.Facts.Server.InRecovery }

// onPrimary returns the comment for a fix that a standby can't run.
func (s *server) onPrimary() string {
	if s.inRecovery() {
		return " -- on the primary"
	}
	return ""
}
