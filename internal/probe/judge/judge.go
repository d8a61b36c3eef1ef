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
	primary  *server
	slot     database.Slot
	limits   limits
	creation database.Creation
}

// server is the evidence about one server, with what the caller said about it.
type server struct {
	facts.Evidence

	endpoint database.Endpoint
	// path is the prefix of the endpoint's fields in the payload.
	path string
}

// row is one check. It is skipped unless applies holds. If one of parts was not
// answered, the finding is that it could not be checked; if one of details was not,
// that is an additional finding. The check passes if there are no findings.
type row struct {
	name    string
	applies func(subject) bool
	parts   func(subject) []facts.Part
	details func(subject) []facts.Part
	judge   func(subject) []check.Entry
}

// checks returns all checks in the order of the report.
func checks() []row {
	return []row{
		{check.Address, always, nil, nil, judgeAddress},
		{check.Connection, tried(facts.Connected), nil, nil, judgeConnection},
		{check.TLS, tlsMatters, nil, tlsDetails, judgeTLS},
		{check.Authentication, tried(facts.LoggedIn), nil, nil, judgeAuthentication},
		{check.Pooler, session, poolerParts, nil, judgePooler},
		{check.ServerVersion, versionMatters, versionParts, nil, judgeServerVersion},
		{check.Standby, standbyMatters, needs(facts.PartServer), standbyDetails, judgeStandby},
		{check.WALLevel, session, needs(facts.PartServer, facts.PartSettings), nil, judgeWALLevel},
		{check.ReplicationRole, session, roleParts, nil, judgeReplicationRole},
		{check.WALSenders, session, walSendersParts, nil, judgeWALSenders},
		{check.Publication, session, needs(facts.PartPublication), nil, judgePublication},
		{check.ReplicationSlot, session, needs(facts.PartSlot), needs(facts.PartServer, facts.PartSettings, facts.PartSlots), judgeSlot},
		{check.PublicationOrder, orderMatters, needs(facts.PartPublication, facts.PartSlot, facts.PartServer), needs(facts.PartRowFilters), judgeOrder},
		{check.Tables, tablesMatter, needs(facts.PartPublication, facts.PartTables), nil, judgeTables},
	}
}

// Report returns the report on t. primary is the evidence about t's primary, nil if
// it has none.
func Report(t database.Target, target facts.Evidence, primary *facts.Evidence) check.Report {
	s := newSubject(t, target, primary)
	var report check.Report
	for _, r := range checks() {
		report = append(report, r.entries(s)...)
	}
	if f, asked := s.Unanswered[facts.PartTableList]; asked {
		report[len(report)-1] = check.Fail(check.Tables, check.NotChecked, unchecked(facts.PartTableList, f), "")
	}
	return screen(report, t, &target, primary)
}

func newSubject(t database.Target, target facts.Evidence, primary *facts.Evidence) subject {
	s := subject{server: server{Evidence: target, endpoint: t.Endpoint}, slot: t.Slot, limits: registrationLimits(), creation: t.Creation}
	if primary != nil && t.Primary != nil {
		s.primary = &server{Evidence: *primary, endpoint: *t.Primary, path: "primary."}
	}
	return s
}

// entries returns the check's part of the report.
func (r row) entries(s subject) []check.Entry {
	skipped := []check.Entry{{Name: r.name, Status: check.Skipped}}
	if !r.applies(s) {
		return skipped
	}
	if r.parts != nil {
		if missing := s.missing(r.parts(s)); len(missing) > 0 {
			if findings := notChecked(s, r.name, missing[:1]); len(findings) > 0 {
				return findings
			}
			return skipped
		}
	}
	findings := r.judge(s)
	if r.details != nil {
		findings = append(findings, notChecked(s, r.name, s.missing(r.details(s)))...)
	}
	if len(findings) == 0 {
		return []check.Entry{{Name: r.name, Status: check.Passed}}
	}
	return findings
}

// needs returns a function that returns parts.
func needs(parts ...facts.Part) func(subject) []facts.Part {
	return func(subject) []facts.Part { return parts }
}

func always(subject) bool { return true }

// tried holds if the stage was attempted.
func tried(stage facts.Stage) func(subject) bool {
	return func(s subject) bool { return s.Tried(stage) }
}

// session holds if there is a session with a supported server.
func session(s subject) bool { return s.Reached == facts.LoggedIn && s.Supported() }

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
