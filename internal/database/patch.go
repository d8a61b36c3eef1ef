package database

import "github.com/headgate/headgate/internal/apierror"

// Patch is the checked body of an update: what was sent, and nothing else.
type Patch struct {
	name      *string
	endpoint  endpointPatch
	primary   *endpointPatch
	noPrimary bool // primary: null
	slot      slotPatch

	// faults are told together with those that only show against the database
	// that is to be changed.
	faults apierror.FieldErrors
}

// endpointPatch is what was sent of one endpoint.
type endpointPatch struct {
	hostname, database, username *string
	sslMode, sslRootCert, arn    *string
	port                         *int
	ssl, ipv6                    *bool
	password                     *Password // nil also where the mask was sent
	masked                       bool
}

type slotPatch struct {
	id, publication, name, status *string
}

// ParsePatch reads the body of an update. Its error is Malformed; what is wrong
// with a field is told by Service.Update, all together.
func ParsePatch(body []byte) (Patch, error) {
	obj, err := parseObject(body)
	if err != nil {
		return Patch{}, err
	}
	f := fields{obj: obj, errs: apierror.FieldErrors{}}
	p := Patch{faults: f.errs, name: f.optionalText("name", nameRule)}
	if f.given("url") {
		p.endpoint = f.patchByURL()
	} else {
		p.endpoint = f.patchByParts()
	}
	p.primary, p.noPrimary = f.patchPrimary()
	p.slot = f.patchSlots()
	f.readOnly()
	f.rejectUnknown(payloadFields(), payloadReadOnly())
	return p, nil
}

// sendsPassword tells whether a password was sent, the mask apart.
func (p Patch) sendsPassword() bool {
	return p.endpoint.password != nil || p.primary != nil && p.primary.password != nil
}

// With adds faults that were found elsewhere in the request.
func (p Patch) With(faults apierror.FieldErrors) Patch {
	for path, messages := range faults {
		p.faults[path] = append(p.faults[path], messages...)
	}
	return p
}

func (f fields) optionalText(name string, check rule) *string {
	if s, ok := f.text(name, check); ok {
		return &s
	}
	return nil
}

func (f fields) optionalBoolean(name string) *bool {
	if !f.given(name) {
		return nil
	}
	b := f.boolean(name, false)
	return &b
}

func (f fields) patchByParts() endpointPatch {
	e := endpointPatch{
		hostname: f.optionalText("hostname", hostnameRule),
		database: f.optionalText("database", identifierRule),
		username: f.optionalText("username", identifierRule),
	}
	if port, ok := f.port("port"); ok {
		e.port = &port
	}
	f.patchPassword(&e)
	if e.arn = f.optionalText(secretARN, arnRule); e.arn != nil {
		f.inPlaceOfPassword()
	}
	f.patchTransport(&e)
	return e
}

// patchPassword takes the mask for what it stands for: the password that is kept.
func (f fields) patchPassword(e *endpointPatch) {
	if v, ok := f.obj.member("password"); ok && v.kind == kindString && v.text == Mask {
		e.masked = true
		return
	}
	if s := f.optionalText("password", passwordRule); s != nil {
		password := Password(*s)
		e.password = &password
	}
}

func (f fields) patchTransport(e *endpointPatch) {
	e.ssl, e.ipv6 = f.optionalBoolean("ssl"), f.optionalBoolean("ipv6")
	e.sslMode = f.optionalText("ssl_mode", sslModeRule)
	e.sslRootCert = f.optionalText("ssl_root_cert", rootCertRule)
}

func (f fields) patchByURL() endpointPatch {
	loc, ok := f.urlAlone()
	var e endpointPatch
	f.patchTransport(&e)
	if !ok {
		return e
	}
	e.hostname, e.port, e.database, e.username = &loc.hostname, &loc.port, &loc.database, &loc.username
	password := Password(loc.password)
	e.password = &password
	return e
}

func (f fields) patchPrimary() (primary *endpointPatch, removed bool) {
	if f.null("primary") {
		return nil, true
	}
	obj, ok := f.obj.member("primary")
	if !ok {
		return nil, false
	}
	if obj.kind != kindObject {
		f.fail("primary", "must be an object, or null to remove it")
		return nil, false
	}
	inner := fields{path: f.at("primary"), obj: obj, errs: f.errs}
	e := inner.patchByParts()
	inner.rejectUnknown(primaryFields(), nil)
	return &e, false
}

// patchSlots reads the array, which may be empty; one slot in it is the only
// one there is.
func (f fields) patchSlots() slotPatch {
	const name = "replication_slots"
	v, ok := f.obj.member(name)
	switch {
	case !ok:
		return slotPatch{}
	case v.kind != kindArray:
		f.fail(name, "must be an array")
		return slotPatch{}
	case len(v.elements) > 1:
		f.fail(name, "must hold at most one replication slot")
		return slotPatch{}
	case len(v.elements) == 0:
		return slotPatch{}
	}
	inner := fields{path: name + "[0]", obj: v.elements[0], errs: f.errs}
	if inner.obj.kind != kindObject {
		f.errs.Add(inner.path, "must be an object")
		return slotPatch{}
	}
	s := slotPatch{
		id:          inner.optionalText("id", func(string) string { return "" }),
		publication: inner.optionalText("publication_name", identifierRule),
		name:        inner.optionalText("slot_name", slotNameRule),
		status:      inner.optionalText("status", statusRule),
	}
	inner.rejectUnknown(slotFields(), []string{"id"})
	return s
}
