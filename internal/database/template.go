package database

import "reflect"

// ParseTemplate is ParsePayload for the properties of a CloudFormation template,
// which are visible, so that a password is a bad field.
func ParseTemplate(properties []byte) (Payload, error) {
	p, err := templatePatch(properties)
	if err != nil {
		return Payload{}, err
	}
	return p.apply(Payload{})
}

// ParseTemplatePatch reads the update of a database whose template had other
// properties before. A template states everything that a create needs, so the errors
// are as ParseTemplate's. What was a property before and no longer is gets its default.
// What may be made on the target counts only if the template asks for something else
// than before, or the target changes: every update sends it, also one that returns to
// the properties of before because another resource failed.
func ParseTemplatePatch(properties, before []byte) (Patch, error) {
	p, err := templatePatch(properties)
	if err != nil {
		return Patch{}, err
	}
	if _, err := p.apply(Payload{}); err != nil {
		return Patch{}, err
	}
	old, err := templatePatch(before)
	if err != nil {
		old = Patch{} // They were refused, so nothing of them is stored.
	}
	return p.restored(old), nil
}

func templatePatch(properties []byte) (Patch, error) {
	r, err := newReader(properties)
	if err != nil {
		return Patch{}, err
	}
	r.passwordFault = passwordInTemplate
	return r.patch(), nil
}

// restored returns p with the defaults of the fields that only old has.
func (p Patch) restored(old Patch) Patch {
	p.endpoint = p.endpoint.restored(old.endpoint)
	switch {
	case p.primary == nil:
		p.removePrimary = old.primary != nil
	case old.primary != nil:
		primary := p.primary.restored(*old.primary)
		p.primary = &primary
	}
	if p.slot != nil && old.slot != nil {
		slot := *p.slot
		restore(&slot.status, old.slot.status, SlotActive)
		p.slot = &slot
	}
	restore(&p.annotations, old.annotations, "")
	p.sameCreation = reflect.DeepEqual(p.creation(), old.creation())
	return p
}

// restored returns e with the defaults of the fields that only old has. Empty strings
// remove what has no other default.
func (e endpointPatch) restored(old endpointPatch) endpointPatch {
	wasByIAM := old.authentication != nil && *old.authentication == AuthenticationRDSIAM
	if wasByIAM && old.sslMode == nil {
		old.sslMode = new(string) // IAM has set it
	}
	restore(&e.port, old.port, DefaultPort)
	restore(&e.ssl, old.ssl, true)
	restore(&e.ipv6, old.ipv6, false)
	restore(&e.sslMode, old.sslMode, "")
	restore(&e.sslRootCert, old.sslRootCert, "")
	restore(&e.username, old.username, "")
	restore(&e.authentication, e.secretARN, AuthenticationPassword)
	return e
}

// restore sets a field that is not sent to value, if it was sent before.
func restore[T any](field **T, before *T, value T) {
	if *field == nil && before != nil {
		*field = &value
	}
}
