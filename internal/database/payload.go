package database

// Payload is the checked body of a create.
type Payload struct {
	Name   string
	Target Target
	// Annotations is the text of a JSON object, or empty.
	Annotations string
	// Replaces is the ID of the database of another account that this one takes the
	// place of, or empty.
	Replaces string
}

// ParsePayload reads the body of a create. The error's kind is Malformed where
// body is not a JSON object, and Invalid, with every bad field, where a field is
// bad. The caller limits the size of body.
func ParsePayload(body []byte) (Payload, error) {
	r, err := newReader(body)
	if err != nil {
		return Payload{}, err
	}
	// A create is a patch of a database that has nothing yet.
	return r.patch().apply(Payload{})
}

// ParseEvent reads the detail of an event that asks for a database: the payload
// of a create and the account. Events are stored and forwarded, so a password is
// a bad field. The errors are as ParsePayload's; with one, the account is
// returned too if it is good.
func ParseEvent(detail []byte) (account string, p Payload, err error) {
	r, err := newReader(detail)
	if err != nil {
		return "", Payload{}, err
	}
	r.passwordFault = passwordInEvent
	r.Require("account_id")
	if id := r.String("account_id", AccountRule); id != nil && IsAccount(*id) {
		account = *id
	}
	p, err = r.patch().apply(Payload{})
	return account, p, err
}
