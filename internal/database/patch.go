package database

import "github.com/headgate/headgate/internal/apierror"

// Patch is the checked body of an update: the fields that were sent.
type Patch struct {
	name          *string
	endpoint      endpointPatch
	primary       *endpointPatch
	removePrimary bool
	slot          *slotPatch
	annotations   *string
	// sameCreation says that what may be made on the target counts only if the target
	// changes.
	sameCreation bool

	// faults are reported together with those that only show when the patch is
	// applied.
	faults apierror.FieldErrors
}

// endpointPatch has the fields that were sent of one endpoint.
type endpointPatch struct {
	hostname, database, username    *string
	sslMode, sslRootCert, secretARN *string
	authentication                  *string
	port                            *int
	ssl, ipv6                       *bool
	password                        *Password // nil for the mask too
	masked                          bool
}

// slotPatch has the fields that were sent of the replication slot.
type slotPatch struct {
	id, publicationName, slotName, status *string
	creation                              Creation
}

// ParsePatch reads the body of an update. The error's kind is Malformed; bad
// fields are reported by Service.Update, together with those that are bad only
// for the database that is updated.
func ParsePatch(body []byte) (Patch, error) {
	r, err := newReader(body)
	if err != nil {
		return Patch{}, err
	}
	r.update = true
	return r.patch(), nil
}

// With adds faults of the request that are not the body's.
func (p Patch) With(faults apierror.FieldErrors) Patch {
	for path, messages := range faults {
		p.faults[path] = append(p.faults[path], messages...)
	}
	return p
}

// creation returns what the update may make on the target.
func (p Patch) creation() Creation {
	if p.slot == nil {
		return Creation{}
	}
	return p.slot.creation
}

// sendsPassword reports whether a password was sent, other than the mask.
func (p Patch) sendsPassword() bool {
	return p.endpoint.password != nil || p.primary != nil && p.primary.password != nil
}
