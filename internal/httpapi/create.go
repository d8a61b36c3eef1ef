package httpapi

import (
	"context"
	"net/http"

	"github.com/headgate/headgate/internal/database"
)

// Creator is what creating databases needs of the service.
type Creator interface {
	Create(ctx context.Context, account string, p database.Payload) (database.Database, error)
	DryRun(ctx context.Context, account string, p database.Payload) (database.Report, error)
}

type checkedBody struct {
	Success bool            `json:"success"`
	Checks  database.Report `json:"checks"`
}

// Create is POST /api/postgres_databases: 201 with the object and its Location,
// or, with dry_run=true, 200 with the checks.
func Create(s Creator) Endpoint {
	return func(ctx context.Context, r *Request) (Response, error) {
		faults := database.FieldErrors{}
		sensitive := r.flag("show_sensitive", faults)
		dryRun := r.flag("dry_run", faults)
		p, err := database.ParsePayload(r.Body)
		if err = faults.Join(err); err != nil {
			return Response{}, err
		}
		if dryRun {
			report, err := s.DryRun(ctx, r.Account, p)
			return Response{Status: http.StatusOK, Body: checkedBody{true, report}}, err
		}
		d, err := s.Create(ctx, r.Account, p)
		if err != nil {
			return Response{}, err
		}
		object := d.Object()
		if sensitive {
			object = object.Reveal(p.Passwords.Main)
		}
		return Response{Status: http.StatusCreated, Body: object, Location: r.Path + "/" + d.ID}, nil
	}
}
