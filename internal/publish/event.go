package publish

import (
	"fmt"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/eventbus"
)

// The detail-types of the events.
const (
	CreatedType       = "Postgres Database Created"
	UpdatedType       = "Postgres Database Updated"
	DeletedType       = "Postgres Database Deleted"
	HealthChangedType = "Postgres Database Health Changed"
)

// detailVersion is the version of the detail's form.
const detailVersion = 1

// Detail is the detail of an event about a change.
type Detail struct {
	Version int `json:"version"`
	// ID is the change's. It is the same when the event is put again.
	ID        string          `json:"id"`
	AccountID string          `json:"account_id"`
	Database  database.Object `json:"database"`
	// Changed has the paths of the fields that an update changed.
	Changed []string `json:"changed,omitzero"`
	// Health is the health as the API shows it.
	Health *database.Health `json:"health,omitempty"`
	// RequestID is empty if it is not known.
	RequestID  string    `json:"request_id"`
	KeyID      string    `json:"key_id,omitempty"`
	OccurredAt time.Time `json:"occurred_at"`
	// Truncated has the paths of the fields that were left out, because the event would
	// be too large.
	Truncated []string `json:"truncated,omitempty"`
}

// event returns the event with as much of d as fits into a request.
func event(detailType string, d Detail) (eventbus.Event, error) {
	for _, cut := range cuts() {
		e, err := eventbus.NewEvent(detailType, d)
		if err != nil || e.Size() <= eventbus.MaxBytes {
			return e, err
		}
		if path := cut(&d); path != "" {
			d.Truncated = append(d.Truncated, path)
		}
	}
	e, err := eventbus.NewEvent(detailType, d)
	if err == nil && e.Size() > eventbus.MaxBytes {
		return e, fmt.Errorf("encode event %s: %d bytes are too many", detailType, e.Size())
	}
	return e, err
}

// cuts returns the functions that leave a field out, in the order in which they are
// tried. Each returns the field's path, empty if the field is not there.
func cuts() []func(*Detail) string {
	return []func(*Detail) string{
		func(d *Detail) string {
			if d.Database.Warnings == nil {
				return ""
			}
			d.Database.Warnings = nil
			return "database.warnings"
		},
		func(d *Detail) string {
			if d.Health == nil {
				return ""
			}
			d.Health.Checks = check.Report{}
			return "health.checks"
		},
		func(d *Detail) string {
			if d.Database.Annotations == nil {
				return ""
			}
			d.Database.Annotations = nil
			return "database.annotations"
		},
	}
}
