package probe

import (
	"strconv"

	"github.com/headgate/headgate/internal/check"
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
	findings []check.Entry
}

func skipped() verdict { return verdict{skip: true} }

func found(cs ...*check.Entry) verdict {
	var v verdict
	for _, c := range cs {
		if c != nil {
			v.findings = append(v.findings, *c)
		}
	}
	return v
}

// judge turns evidence into the report. It is a function of what it is given.
func judge(t database.Target, e evidence, primary *evidence) check.Report {
	var report check.Report
	for _, name := range check.Names() {
		v := verdictOn(name, t, e, primary)
		switch {
		case len(v.findings) > 0:
			report = append(report, v.findings...)
		case v.skip:
			report = append(report, check.Entry{Name: name, Status: check.Skipped})
		default:
			report = append(report, check.Entry{Name: name, Status: check.Passed})
		}
	}
	return report
}

func verdictOn(name string, t database.Target, e evidence, primary *evidence) verdict {
	met := metBy(name, e)
	switch name {
	case check.Address:
		return judgeAddress(met, e, primary)
	case check.Connection:
		return reaching(met, e, connected)
	case check.TLS:
		if !t.Endpoint.SSL && len(met) == 0 {
			return skipped()
		}
		return reaching(met, e, encrypted)
	case check.Authentication:
		return judgeAuthentication(met, e)
	case check.Pooler:
		return judgePooler(t, e)
	case check.ServerVersion:
		return judgeVersion(e)
	}
	if e.reached < loggedIn || e.unsupported() {
		return skipped()
	}
	switch name {
	case check.Standby:
		return judgeStandby(e, primary)
	case check.WALLevel:
		return judgeWALLevel(e, primary)
	case check.ReplicationRole:
		return judgeReplicationRole(e)
	case check.WALSenders:
		return judgeWALSenders(e)
	case check.Publication:
		return judgePublication(t.Slot, e)
	case check.ReplicationSlot:
		return judgeSlot(t, e)
	case check.PublicationOrder:
		return judgeOrder(t.Slot, e)
	default:
		return judgeTables(e)
	}
}

func metBy(name string, e evidence) []check.Entry {
	var met []check.Entry
	for _, c := range e.met {
		if c.Name == name {
			met = append(met, c)
		}
	}
	return met
}

// reaching is the verdict of a check that is passed by coming as far as s.
func reaching(met []check.Entry, e evidence, s stage) verdict {
	return verdict{skip: e.reached < s, findings: met}
}

// judgeAddress has both hosts' findings, but that a primary is not in DNS is
// left to the standby's check: it may not be needed at all.
func judgeAddress(met []check.Entry, e evidence, primary *evidence) verdict {
	if primary != nil && !allowed(*primary) {
		met = append(met, primary.met...)
	}
	return reaching(met, e, resolved)
}

// judgeAuthentication also fails where a walsender was refused for a reason
// that no other check has, though an ordinary session was not.
func judgeAuthentication(met []check.Entry, e evidence) verdict {
	if r := e.refused; r != nil && e.reached == loggedIn {
		switch r.pgErr.Code {
		case stateInsufficientPrivilege, stateTooManyConnections, stateProtocolViolation:
		default:
			met = append(met, r.Entry)
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
		return found(failed(check.ServerVersion, check.UnsupportedServerVersion,
			"the server is PostgreSQL "+strconv.Itoa(version)+"; the oldest supported is "+strconv.Itoa(minVersion),
			"upgrade the server to a supported major version"))
	}
	return found()
}
