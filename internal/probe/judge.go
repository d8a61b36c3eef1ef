package probe

import (
	"strconv"

	"github.com/headgate/headgate/internal/database"
)

// minVersion is the oldest major version that is supported.
const minVersion = 12

// unsupported tells whether the server is too old to be asked anything.
func (e *evidence) unsupported() bool { return e.version > 0 && e.version < minVersion }

// provider is who runs the server, where that changes how a setting is set.
func (e *evidence) provider() provider {
	if e.facts.Server == nil {
		return selfHosted
	}
	return providerOf(e.facts.Server)
}

// verdict is what one check says: nothing to look at, or its findings.
type verdict struct {
	skip     bool
	findings []database.Check
}

func skipped() verdict { return verdict{skip: true} }

func found(cs ...*database.Check) verdict {
	var v verdict
	for _, c := range cs {
		if c != nil {
			v.findings = append(v.findings, *c)
		}
	}
	return v
}

// judge turns evidence into the report. It is a function of what it is given.
func judge(t database.Target, e evidence, primary *evidence) database.Report {
	var report database.Report
	for _, name := range database.CheckNames() {
		v := verdictOn(name, t, e, primary)
		switch {
		case len(v.findings) > 0:
			report = append(report, v.findings...)
		case v.skip:
			report = append(report, database.Check{Name: name, Status: database.Skipped})
		default:
			report = append(report, database.Check{Name: name, Status: database.Passed})
		}
	}
	return report
}

func verdictOn(name string, t database.Target, e evidence, primary *evidence) verdict {
	met := metBy(name, e)
	switch name {
	case database.CheckAddress:
		return judgeAddress(met, e, primary)
	case database.CheckConnection:
		return reaching(met, e, connected)
	case database.CheckTLS:
		if !t.Endpoint.SSL && len(met) == 0 {
			return skipped()
		}
		return reaching(met, e, encrypted)
	case database.CheckAuthentication:
		return judgeAuthentication(met, e)
	case database.CheckPooler:
		return judgePooler(t, e)
	case database.CheckServerVersion:
		return judgeVersion(e)
	}
	if e.reached < loggedIn || e.unsupported() {
		return skipped()
	}
	switch name {
	case database.CheckStandby:
		return judgeStandby(e, primary)
	case database.CheckWALLevel:
		return judgeWALLevel(e, primary)
	case database.CheckReplicationRole:
		return judgeReplicationRole(e)
	case database.CheckWALSenders:
		return judgeWALSenders(e)
	case database.CheckPublication:
		return judgePublication(t.Slot, e)
	case database.CheckReplicationSlot:
		return judgeSlot(t, e)
	case database.CheckPublicationOrder:
		return judgeOrder(t.Slot, e)
	default:
		return judgeTables(e)
	}
}

func metBy(name string, e evidence) []database.Check {
	var met []database.Check
	for _, c := range e.met {
		if c.Name == name {
			met = append(met, c)
		}
	}
	return met
}

// reaching is the verdict of a check that is passed by coming as far as s.
func reaching(met []database.Check, e evidence, s stage) verdict {
	return verdict{skip: e.reached < s, findings: met}
}

// judgeAddress has both hosts' findings, but that a primary is not in DNS is
// left to the standby's check: it may not be needed at all.
func judgeAddress(met []database.Check, e evidence, primary *evidence) verdict {
	if primary != nil && !allowed(*primary) {
		met = append(met, primary.met...)
	}
	return reaching(met, e, resolved)
}

// judgeAuthentication also fails where a walsender was refused for a reason
// that no other check has, though an ordinary session was not.
func judgeAuthentication(met []database.Check, e evidence) verdict {
	if r := e.refused; r != nil && e.reached == loggedIn {
		switch r.pgErr.Code {
		case stateInsufficientPrivilege, stateTooManyConnections, stateProtocolViolation:
		default:
			met = append(met, r.Check)
		}
	}
	return reaching(met, e, loggedIn)
}

func judgeVersion(e evidence) verdict {
	version := e.version
	if version == 0 && e.facts.Server != nil {
		version = e.facts.Server.major()
	}
	switch {
	case version == 0:
		return skipped()
	case version < minVersion:
		return found(failed(database.CheckServerVersion, UnsupportedServerVersion,
			"the server is PostgreSQL "+strconv.Itoa(version)+"; the oldest supported is "+strconv.Itoa(minVersion),
			"upgrade the server to a supported major version"))
	}
	return found()
}
