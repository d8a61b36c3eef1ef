package database

import (
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/strictjson"
)

// reader reads the fields of a payload, which creates, updates and events have
// in common.
type reader struct {
	strictjson.Object
	faults apierror.FieldErrors
	update bool
	// passwordFault is the fault of a password, empty where one may be sent.
	passwordFault string
}

const secretARN = "password_secret_arn"

func newReader(body []byte) (reader, error) {
	faults := apierror.FieldErrors{}
	o, err := strictjson.Parse(body, faults)
	return reader{Object: o, faults: faults}, err
}

// within returns the reader of an object within r's.
func (r reader) within(o strictjson.Object) reader {
	r.Object = o
	return r
}

func (r reader) patch() Patch {
	p := Patch{faults: r.faults, name: r.String("name", nameRule)}
	if r.Has("url") {
		p.endpoint = r.byURL()
	} else {
		p.endpoint = r.byParts()
	}
	p.removePrimary = r.IsNull("primary")
	if primary := r.Object.Object("primary"); primary != nil {
		inner := r.within(*primary)
		e := inner.byParts()
		inner.RejectUnknown()
		p.primary = &e
	}
	p.slot = r.slot()
	p.annotations = r.annotations()
	if tunnel := r.Bool("use_local_tunnel"); tunnel != nil && *tunnel {
		r.Fault("use_local_tunnel", "must be false: there is no local tunnel here")
	}
	r.RejectUnknown("id", "pool_size", "queue_interval", "queue_target", "warnings", "created", "left_on_target", "secret_arn", "health")
	return p
}

func (r reader) byParts() endpointPatch {
	e := endpointPatch{
		hostname: r.String("hostname", hostnameRule),
		port:     r.port(),
		database: r.String("database", identifierRule),
		username: r.String("username", identifierRule),
	}
	e.authentication = r.String("authentication", authenticationRule)
	r.password(&e)
	r.transport(&e)
	return e
}

// byURL reads url, whose parts must not be sent a second time.
func (r reader) byURL() endpointPatch {
	var loc location
	if r.passwordFault != "" {
		r.Fault("url", r.passwordFault)
	} else if s := r.String("url", nil); s != nil {
		var problems []string
		loc, problems = parseURL(*s)
		for _, problem := range problems {
			r.Fault("url", problem)
		}
	}
	for _, part := range []string{"hostname", "database", "username", "password"} {
		if r.Has(part) {
			r.Fault(part, inURL)
		}
	}
	if r.Has(secretARN) {
		r.Fault(secretARN, "must not be given together with url, which includes a password")
	}
	if r.port() != nil {
		r.Fault("port", inURL)
	}
	password := Password(loc.password)
	e := endpointPatch{hostname: &loc.hostname, port: &loc.port, database: &loc.database, username: &loc.username, password: &password}
	if a := r.String("authentication", authenticationRule); a != nil && *a == AuthenticationRDSIAM {
		r.Fault("authentication", `must not be "rds_iam" together with url, which includes a password`)
	}
	byPassword := AuthenticationPassword
	e.authentication = &byPassword
	r.transport(&e)
	return e
}

const (
	inURL              = "must not be given together with url, which includes it"
	passwordInEvent    = "must not be in an event, which is stored and forwarded: send " + secretARN
	passwordInTemplate = "must not be a property, which everybody who sees the stack can read: give " + secretARN
)

// port reads the port. 0 counts as not given, because clients in Go and Terraform
// send it for that.
func (r reader) port() *int {
	n := r.Int("port", func(n int) string {
		if n < 0 || n > maxPort {
			return "must be between 1 and 65535"
		}
		return ""
	})
	if n != nil && *n == 0 {
		return nil
	}
	return n
}

// password reads the password and what may replace it.
func (r reader) password(e *endpointPatch) {
	e.secretARN = r.String(secretARN, arnRule)
	switch {
	case r.passwordFault != "":
		if r.Has("password") {
			r.Fault("password", r.passwordFault)
		}
		if r.update || e.authentication != nil && *e.authentication == AuthenticationRDSIAM {
			return
		}
		if r.Require(secretARN); e.secretARN == nil {
			e.secretARN = new(string) // so that no password is required in its place
		}
		return
	case r.Has(secretARN) && r.Has("password"):
		r.Fault(secretARN, "must not be given together with password, which it replaces")
	}
	s := r.String("password", func(s string) string {
		if s == Mask {
			return ""
		}
		return passwordRule(s)
	})
	if s != nil && *s == Mask {
		e.masked = true
	} else if s != nil {
		password := Password(*s)
		e.password = &password
	}
}

// transport reads the fields that say how to connect.
func (r reader) transport(e *endpointPatch) {
	e.ssl, e.ipv6 = r.Bool("ssl"), r.Bool("ipv6")
	e.sslMode = r.String("ssl_mode", sslModeRule)
	e.sslRootCert = r.String("ssl_root_cert", rootCertRule)
}

// annotations returns the text of the annotations. Nothing in it is interpreted.
func (r reader) annotations() *string {
	const name = "annotations"
	if r.Object.Object(name) == nil {
		return nil
	}
	text := strings.Clone(r.Raw(name)) // the body must not stay in memory with it
	if len(text) > maxAnnotations {
		r.Fault(name, "must be at most 8 KiB (8,192 bytes)")
	}
	return &text
}

// slot reads the array of replication slots, which holds one slot or, in an
// update, none.
func (r reader) slot() *slotPatch {
	slots := r.Objects("replication_slots", func(n int) string {
		if n == 1 || n == 0 && r.update {
			return ""
		}
		return "must hold exactly one replication slot, not " + strconv.Itoa(n)
	})
	if len(slots) == 0 || slots[0] == nil {
		return nil
	}
	inner := r.within(*slots[0])
	s := &slotPatch{
		publicationName: inner.String("publication_name", identifierRule),
		slotName:        inner.String("slot_name", slotNameRule),
		status:          inner.String("status", statusRule),
		creation:        inner.creation(),
	}
	if r.update {
		s.id = inner.String("id", nil)
	}
	inner.RejectUnknown("id")
	return s
}
