package httpapi

import (
	"context"
	"net/http"

	"github.com/headgate/headgate/internal/database"
)

// Create answers POST /api/postgres_databases: 201 with the object and its
// Location or, with dry_run=true, 200 with the checks.
func (d Databases) Create(ctx context.Context, r *Request) (Response, error) {
	sensitive := r.flag("show_sensitive", false)
	dryRun := r.flag("dry_run", false)
	key := ""
	if !dryRun {
		key = r.idempotencyKey()
	}
	p, err := database.ParsePayload(r.Body)
	if err = r.faults.Join(err); err != nil {
		return Response{}, err
	}
	if dryRun {
		report, err := d.Service.DryRunCreate(ctx, r.Account, p)
		return passed(report), err
	}
	created, err := d.Service.Create(ctx, r.Account, p, key)
	if err != nil {
		return Response{}, err
	}
	response := object(created.Database, created.Passwords, sensitive)
	response.Status, response.Location = http.StatusCreated, r.Path+"/"+created.Database.ID
	return response, nil
}
