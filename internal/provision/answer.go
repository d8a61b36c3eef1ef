package provision

import (
	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// The detail-types of the events that answer.
const (
	CreatedType  = "Postgres Database Created"
	RejectedType = "Postgres Database Rejected"
)

// Created is the detail of the event for a database that was registered.
// RequestID is the ID of the event that requested it.
type Created struct {
	RequestID string          `json:"request_id"`
	AccountID string          `json:"account_id"`
	Database  database.Object `json:"database"`
}

// Rejected is the detail of the event for a request that was refused.
type Rejected struct {
	RequestID string           `json:"request_id"`
	AccountID string           `json:"account_id"`
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
