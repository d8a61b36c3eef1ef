package database

import (
	"strings"

	"github.com/headgate/headgate/internal/apierror"
)

// next is a database as an update would have it.
type next struct {
	Database
	passwords struct{ main, primary *Password } // nil where they stay
}

// apply gives the state that p makes of d, or everything that is wrong with p.
func (p Patch) apply(d Database) (next, error) {
	faults := apierror.FieldErrors{}
	for path, messages := range p.faults {
		faults[path] = messages
	}
	n := next{Database: d}
	set(&n.Name, p.name)
	n.Endpoint = p.endpoint.apply(d.Endpoint, "", faults)
	n.passwords.main = p.endpoint.password
	n.applyPrimary(p, d, faults)
	if p.slot.id != nil && !strings.EqualFold(*p.slot.id, d.Slot.ID) {
		faults.Add("replication_slots[0].id", "is not this database's replication slot")
	}
	set(&n.Slot.PublicationName, p.slot.publication)
	set(&n.Slot.SlotName, p.slot.name)
	set(&n.Slot.Status, p.slot.status)
	return n, faults.AsError()
}

func set[T any](field *T, sent *T) {
	if sent != nil {
		*field = *sent
	}
}

// applyPrimary merges the primary field by field; a new one needs all of the
// fields that a create needs.
func (n *next) applyPrimary(p Patch, d Database, faults apierror.FieldErrors) {
	switch {
	case p.noPrimary:
		n.Primary = nil
	case p.primary != nil:
		base := Endpoint{Port: DefaultPort, SSL: true}
		if d.Primary != nil {
			base = *d.Primary
		} else {
			p.primary.requireAll(faults)
		}
		e := p.primary.apply(base, "primary.", faults)
		n.Primary, n.passwords.primary = &e, p.primary.password
	}
}

func (e endpointPatch) requireAll(faults apierror.FieldErrors) {
	missing := func(name string, absent bool) {
		if path := "primary." + name; absent && len(faults[path]) == 0 {
			faults.Add(path, "is required")
		}
	}
	missing("hostname", e.hostname == nil)
	missing("database", e.database == nil)
	if e.arn != nil {
		return
	}
	missing("username", e.username == nil)
	if e.masked {
		faults.Add("primary.password", "must be the password itself: there is none yet that the mask could stand for")
		return
	}
	missing("password", e.password == nil)
}

// apply gives the endpoint that e makes of base. Turning TLS off, or its
// verification, takes with it what only that needed.
func (e endpointPatch) apply(base Endpoint, prefix string, faults apierror.FieldErrors) Endpoint {
	set(&base.Hostname, e.hostname)
	set(&base.Port, e.port)
	set(&base.Database, e.database)
	set(&base.Username, e.username)
	set(&base.SSL, e.ssl)
	set(&base.IPv6, e.ipv6)
	e.applyReference(&base)
	set(&base.SSLMode, e.sslMode)
	set(&base.SSLRootCert, e.sslRootCert)
	if !base.SSL {
		if e.sslMode != nil {
			faults.Add(prefix+"ssl_mode", "must not be given where ssl is false")
		}
		base.SSLMode = ""
	}
	if base.SSLMode != SSLModeVerifyFull {
		if e.sslRootCert != nil {
			faults.Add(prefix+"ssl_root_cert", `must be given only with ssl_mode "verify-full"`)
		}
		base.SSLRootCert = ""
	}
	return base
}

// applyReference takes either form of the password in the other's place.
func (e endpointPatch) applyReference(base *Endpoint) {
	switch {
	case e.arn != nil:
		base.PasswordSecretARN = *e.arn
	case e.password != nil:
		base.PasswordSecretARN = ""
	}
	if e.username != nil || base.PasswordSecretARN == "" {
		base.UsernameFromSecret = false
	}
}

// sameTarget tells whether a probe would find the same in a and b: name and
// status do not matter to it.
func sameTarget(a, b Database) bool {
	return a.Endpoint == b.Endpoint && equalEndpoints(a.Primary, b.Primary) &&
		a.Slot.PublicationName == b.Slot.PublicationName && a.Slot.SlotName == b.Slot.SlotName
}

// sameSecret tells whether the secret of a holds for b, passwords apart: the
// form that RDS gives it has a part of the endpoint.
func sameSecret(a, b Database) bool {
	part := func(e *Endpoint) Endpoint {
		if e == nil {
			return Endpoint{}
		}
		return Endpoint{Hostname: e.Hostname, Port: e.Port, Username: e.Username, Database: e.Database}
	}
	return part(&a.Endpoint) == part(&b.Endpoint) && part(a.Primary) == part(b.Primary)
}

func equalEndpoints(a, b *Endpoint) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
