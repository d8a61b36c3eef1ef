package httpapi

import (
	"context"
	"net/http"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

type checkedBody struct {
	Success bool         `json:"success"`
	Checks  check.Report `json:"checks"`
}

// Create is POST /api/postgres_databases: 201 with the object and its Location,
// or, with dry_run=true, 200 with the checks.
func Create(s *database.Service) Endpoint {
	return func(ctx context.Context, r *Request) (Response, error) {
		faults := apierror.FieldErrors{}
		sensitive := r.flag("show_sensitive", false, faults)
		dryRun := r.flag("dry_run", false, faults)
		key := ""
		if !dryRun {
			key = r.idempotencyKey(faults)
		}
		p, err := database.ParsePayload(r.Body)
		if err = faults.Join(err); err != nil {
			return Response{}, err
		}
		if dryRun {
			report, err := s.DryRun(ctx, r.Account, p)
			return Response{Status: http.StatusOK, Body: checkedBody{true, report}}, err
		}
		c, err := s.Create(ctx, r.Account, p, key)
		if err != nil {
			return Response{}, err
		}
		response := object(c.Database, c.Passwords, sensitive)
		response.Status, response.Location = http.StatusCreated, r.Path+"/"+c.Database.ID
		return response, nil
	}
}

// object is the answer that is one database. Passwords that are not known are
// not shown.
func object(d database.Database, p database.Passwords, sensitive bool) Response {
	o := d.Object()
	r := Response{Status: http.StatusOK}
	if sensitive && p.Main != "" {
		o = o.Reveal(p.Main)
		r.Revealed = []string{d.ID}
	}
	r.Body = o
	return r
}
