package provision

import (
	"encoding/json"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/redact"
)

// RejectedType is the detail-type of the event for a request that was refused. A
// database that was registered is told of by publish-changes, as any other.
const RejectedType = "Postgres Database Rejected"

// Rejected is the detail of the event for a request that was refused. RequestID is the
// ID of the event that requested the database.
type Rejected struct {
	RequestID string           `json:"request_id"`
	AccountID string           `json:"account_id"`
	Name      string           `json:"name"`
	Error     apierror.Refusal `json:"error"`
}

// refusal returns e in the form of a 422, whatever its kind.
func refusal(e *apierror.Error) apierror.Refusal {
	r := e.Refusal()
	if r.Code == "" {
		r.Code = apierror.InvalidPayload
	}
	return r
}

// requestedName returns the name in a request that may be malformed, empty if there is
// none. A valid name is never cut, so that whoever requested it recognises it.
func requestedName(detail json.RawMessage) string {
	const maxBytes = 255 + len("…") // of a valid name, and what redact.Line ends a cut one with
	var request struct {
		Name any `json:"name"`
	}
	_ = json.Unmarshal(detail, &request) // the answer says what is wrong
	name, _ := request.Name.(string)
	return redact.Line(name, maxBytes)
}
