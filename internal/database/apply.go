package database

import (
	"maps"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
)

// apply returns base with the fields of p, or the error with everything that is
// wrong with p. Where base has no endpoint, no primary or no slot, what a create
// requires is required of p, and the rest gets its default. The passwords of base
// need not be known: those that p leaves alone stay as they are in base.
func (p Patch) apply(base Payload) (Payload, error) {
	faults := maps.Clone(p.faults)
	next := base
	set(&next.Name, p.name)
	require(faults, "name", next.Name == "")
	t := &next.Target
	t.Endpoint = p.endpoint.apply(base.Target.Endpoint, "", faults)
	switch {
	case p.removePrimary:
		t.Primary = nil
	case p.primary != nil:
		var primary Endpoint
		if t.Primary != nil {
			primary = *t.Primary
		}
		primary = p.primary.apply(primary, "primary.", faults)
		t.Primary = &primary
	}
	t.Slot = p.slot.apply(base.Target.Slot, faults)
	if p.slot != nil {
		t.Creation = p.slot.creation
	}
	set(&next.Annotations, p.annotations)
	t.Passwords = p.passwords(base.Target.Passwords, *t)
	if err := faults.AsError(); err != nil {
		return Payload{}, err
	}
	return next, nil
}

// passwords returns stored with the passwords that p sends, without those that
// the endpoints of t do not need.
func (p Patch) passwords(stored Passwords, t Target) Passwords {
	set(&stored.Main, p.endpoint.password)
	if p.primary != nil {
		set(&stored.Primary, p.primary.password)
	}
	if !t.Endpoint.storesPassword() {
		stored.Main = ""
	}
	if t.Primary == nil || !t.Primary.storesPassword() {
		stored.Primary = ""
	}
	return stored
}

func set[T any](field *T, sent *T) {
	if sent != nil {
		*field = *sent
	}
}

// given reports whether a string was sent that is not empty. An empty one removes the
// field; requests can't send it, because no rule accepts it.
func given(s *string) bool { return s != nil && *s != "" }

// require notes that path is required if it is missing and nothing else is wrong
// with it.
func require(faults apierror.FieldErrors, path string, missing bool) {
	if missing && len(faults[path]) == 0 {
		faults.Add(path, "is required")
	}
}

// apply returns base with the fields of e. Turning TLS off, or its verification,
// removes the settings that only those need.
func (e endpointPatch) apply(base Endpoint, prefix string, faults apierror.FieldErrors) Endpoint {
	if base == (Endpoint{}) {
		e.requireAll(prefix, faults)
		base = Endpoint{Port: DefaultPort, SSL: true}
	}
	set(&base.Hostname, e.hostname)
	set(&base.Port, e.port)
	set(&base.Database, e.database)
	if given(e.username) {
		base.Username = *e.username
	}
	set(&base.SSL, e.ssl)
	set(&base.IPv6, e.ipv6)
	set(&base.SSLMode, e.sslMode)
	set(&base.SSLRootCert, e.sslRootCert)
	e.applySecretARN(&base)
	e.applyAuthentication(&base, prefix, faults)
	if base.ByIAM() {
		return base
	}
	if !base.SSL {
		if given(e.sslMode) {
			faults.Add(prefix+"ssl_mode", "must not be given where ssl is false")
		}
		base.SSLMode = ""
	}
	if base.SSLMode != SSLModeVerifyFull {
		if given(e.sslRootCert) {
			faults.Add(prefix+"ssl_root_cert", `must be given only with ssl_mode "verify-full"`)
		}
		base.SSLRootCert = ""
	}
	return base
}

// requireAll notes what e lacks of a whole endpoint.
func (e endpointPatch) requireAll(prefix string, faults apierror.FieldErrors) {
	require(faults, prefix+"hostname", e.hostname == nil)
	require(faults, prefix+"database", e.database == nil)
	if e.secretARN != nil {
		return
	}
	require(faults, prefix+"username", e.username == nil)
	if e.authentication != nil && *e.authentication == AuthenticationRDSIAM && !e.masked {
		return
	}
	if e.masked {
		faults.Add(prefix+"password", maskRefused)
		return
	}
	require(faults, prefix+"password", e.password == nil)
}

// applySecretARN replaces a password by a reference or a reference by a password.
// A reference without a user name takes it from the secret, and shows the one before
// until it is read.
func (e endpointPatch) applySecretARN(base *Endpoint) {
	switch {
	case e.secretARN != nil:
		base.PasswordSecretARN = *e.secretARN
	case e.password != nil:
		base.PasswordSecretARN = ""
	}
	switch {
	case base.PasswordSecretARN == "" || given(e.username):
		base.UsernameFromSecret = false
	case base.Username == "" || e.username != nil:
		base.UsernameFromSecret = true
	}
}

// apply returns base with the fields of s, which is nil where no slot was sent.
func (s *slotPatch) apply(base Slot, faults apierror.FieldErrors) Slot {
	const path = "replication_slots"
	isNew := base == (Slot{})
	if isNew {
		base.Status = SlotActive
	}
	if s == nil {
		require(faults, path, isNew && len(faults[path+"[0]"]) == 0)
		return base
	}
	if isNew {
		require(faults, path+"[0].publication_name", s.publicationName == nil)
		require(faults, path+"[0].slot_name", s.slotName == nil)
	}
	if s.id != nil && !strings.EqualFold(*s.id, base.ID) {
		faults.Add(path+"[0].id", "is not the ID of this database's replication slot")
	}
	set(&base.PublicationName, s.publicationName)
	set(&base.SlotName, s.slotName)
	set(&base.Status, s.status)
	return base
}

// sameTarget reports whether a probe of a and b would look at the same things.
func sameTarget(a, b Database) bool {
	return a.Endpoint == b.Endpoint && equalEndpoints(a.Primary, b.Primary) &&
		a.Slot.PublicationName == b.Slot.PublicationName && a.Slot.SlotName == b.Slot.SlotName
}

// sameSecret reports whether a secret with the passwords of a, in the form that
// RDS uses, would be the same for b: that form includes a part of the endpoint.
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
