package database

import (
	"strconv"

	"github.com/headgate/headgate/internal/apierror"
)

// Payload is the checked body of a create.
type Payload struct {
	Name      string
	Endpoint  Endpoint
	Primary   *Endpoint
	Passwords Passwords
	Slot      Slot
}

func payloadFields() []string {
	return []string{
		"name", "url", "hostname", "port", "database", "username", "password", "password_secret_arn",
		"ssl", "ssl_mode", "ssl_root_cert", "ipv6", "primary", "replication_slots",
	}
}

func payloadReadOnly() []string {
	return []string{"id", "use_local_tunnel", "pool_size", "queue_interval", "queue_target", "warnings"}
}

func primaryFields() []string {
	return []string{"hostname", "port", "database", "username", "password", "password_secret_arn", "ssl", "ssl_mode", "ssl_root_cert", "ipv6"}
}

func slotFields() []string { return []string{"publication_name", "slot_name", "status"} }

// ParsePayload reads the body of a create. Its errors are Malformed, for what
// is not one JSON object, or Invalid, with everything that is wrong by field.
// The caller bounds the body's size.
func ParsePayload(body []byte) (Payload, error) {
	obj, err := parseObject(body)
	if err != nil {
		return Payload{}, err
	}
	f := fields{obj: obj, errs: apierror.FieldErrors{}}
	p := f.payload(payloadFields())
	if err := f.errs.AsError(); err != nil {
		return Payload{}, err
	}
	return p, nil
}

func (f fields) payload(known []string) Payload {
	p := Payload{Name: f.requiredText("name", nameRule)}
	p.Endpoint, p.Passwords.Main = f.endpoint()
	if f.given("primary") {
		p.Primary, p.Passwords.Primary = f.primary()
	}
	p.Slot = f.slots()
	f.readOnly()
	f.rejectUnknown(known, payloadReadOnly())
	return p
}

// ParseEvent reads the detail of an event that asks for a database: a create's
// payload and the account. Events are kept and passed on, so that a password has
// no place in one. The errors are as ParsePayload's; the account comes with them
// where it is good.
func ParseEvent(detail []byte) (account string, p Payload, err error) {
	obj, err := parseObject(detail)
	if err != nil {
		return "", Payload{}, err
	}
	f := fields{obj: obj, errs: apierror.FieldErrors{}, event: true}
	account = f.requiredText("account_id", accountRule)
	p = f.payload(append([]string{"account_id"}, payloadFields()...))
	if err := f.errs.AsError(); err != nil {
		return account, Payload{}, err
	}
	return account, p, nil
}

// readOnly looks at the fields of the object that may be sent and are ignored.
func (f fields) readOnly() {
	if v, ok := f.obj.member("use_local_tunnel"); ok && v.kind != kindFalse {
		f.fail("use_local_tunnel", "must be false: there is no local tunnel here")
	}
}

// endpoint is the connection by url or by its parts.
func (f fields) endpoint() (Endpoint, Password) {
	if f.given("url") && f.event {
		f.fail("url", noPassword)
		return Endpoint{}, ""
	}
	if f.given("url") {
		return f.endpointByURL()
	}
	return f.endpointByParts()
}

func (f fields) endpointByParts() (Endpoint, Password) {
	e := Endpoint{
		Hostname: f.requiredText("hostname", hostnameRule),
		Database: f.requiredText("database", identifierRule),
	}
	var password string
	if f.event && f.given("password") {
		f.fail("password", noPassword)
	}
	if f.given(secretARN) || f.event {
		if !f.given(secretARN) {
			f.fail(secretARN, "is required")
		}
		e.PasswordSecretARN, _ = f.text(secretARN, arnRule)
		e.Username, _ = f.text("username", identifierRule)
		e.UsernameFromSecret = !f.given("username")
		if !f.event {
			f.inPlaceOfPassword()
		}
	} else {
		e.Username = f.requiredText("username", identifierRule)
		password = f.requiredText("password", passwordRule)
	}
	e.Port, _ = f.port("port")
	f.transport(&e)
	return e, Password(password)
}

const (
	secretARN  = "password_secret_arn"
	noPassword = "has no place in an event, which is kept and passed on: send " + secretARN
)

// inPlaceOfPassword notes a password beside the ARN of the secret that has it.
func (f fields) inPlaceOfPassword() {
	if f.given("password") {
		f.fail(secretARN, "must not be given beside password: it stands in its place")
	}
}

func (f fields) endpointByURL() (Endpoint, Password) {
	loc, _ := f.urlAlone()
	e := Endpoint{Hostname: loc.hostname, Port: loc.port, Database: loc.database, Username: loc.username}
	f.transport(&e)
	return e, Password(loc.password)
}

// urlAlone is what url says, and whether it is good; its parts must not be given
// beside it.
func (f fields) urlAlone() (location, bool) {
	var loc location
	var problems []string
	_, ok := f.text("url", func(s string) string {
		loc, problems = parseURL(s)
		return ""
	})
	for _, p := range problems {
		f.fail("url", p)
	}
	for _, part := range []string{"hostname", "database", "username", "password", secretARN} {
		if f.given(part) {
			f.fail(part, "must not be given beside url, which has it")
		}
	}
	if _, given := f.port("port"); given {
		f.fail("port", "must not be given beside url, which has it")
	}
	return loc, ok && len(problems) == 0
}

// transport reads the fields that say how to connect.
func (f fields) transport(e *Endpoint) {
	e.SSL = f.boolean("ssl", true)
	e.IPv6 = f.boolean("ipv6", false)
	e.SSLMode, _ = f.text("ssl_mode", sslModeRule)
	e.SSLRootCert, _ = f.text("ssl_root_cert", rootCertRule)
	if f.given("ssl_mode") && !e.SSL {
		f.fail("ssl_mode", "must not be given where ssl is false")
	}
	if f.given("ssl_root_cert") && e.SSLMode != SSLModeVerifyFull {
		f.fail("ssl_root_cert", `must be given only with ssl_mode "verify-full"`)
	}
}

func (f fields) primary() (*Endpoint, Password) {
	obj, _ := f.obj.member("primary")
	if obj.kind != kindObject {
		f.fail("primary", "must be an object")
		return nil, ""
	}
	inner := fields{path: f.at("primary"), obj: obj, errs: f.errs, event: f.event}
	e, password := inner.endpointByParts()
	inner.rejectUnknown(primaryFields(), nil)
	return &e, password
}

// slots reads the array that must hold exactly one slot.
func (f fields) slots() Slot {
	const name = "replication_slots"
	v, ok := f.obj.member(name)
	switch {
	case !ok:
		f.fail(name, "is required")
		return Slot{}
	case v.kind != kindArray:
		f.fail(name, "must be an array")
		return Slot{}
	case len(v.elements) != 1:
		f.fail(name, "must hold exactly one replication slot, not "+strconv.Itoa(len(v.elements)))
		return Slot{}
	}
	inner := fields{path: name + "[0]", obj: v.elements[0], errs: f.errs}
	if inner.obj.kind != kindObject {
		f.errs.Add(inner.path, "must be an object")
		return Slot{}
	}
	return inner.slot()
}

func (f fields) slot() Slot {
	s := Slot{
		PublicationName: f.requiredText("publication_name", identifierRule),
		SlotName:        f.requiredText("slot_name", slotNameRule),
		Status:          SlotActive,
	}
	if status, ok := f.text("status", statusRule); ok {
		s.Status = status
	}
	f.rejectUnknown(slotFields(), []string{"id"})
	return s
}
