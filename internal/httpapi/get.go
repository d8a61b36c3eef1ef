package httpapi

import (
	"context"
	"net/http"

	"github.com/headgate/headgate/internal/database"
)

// Get answers GET /api/postgres_databases/{id_or_name}: 200 with the object.
func (d Databases) Get(ctx context.Context, r *Request) (Response, error) {
	sensitive, withHealth := r.flag("show_sensitive", false), r.includesHealth()
	if err := r.faults.AsError(); err != nil {
		return Response{}, err
	}
	if !withHealth {
		db, err := d.Service.Get(ctx, r.Account, r.ref())
		if err != nil {
			return Response{}, err
		}
		return d.reveal(ctx, db, database.Passwords{}, sensitive)
	}
	db, health, err := d.Service.Health(ctx, r.Account, r.ref())
	if err != nil {
		return Response{}, err
	}
	response, err := d.reveal(ctx, db, database.Passwords{}, sensitive)
	if o, ok := response.Body.(database.Object); ok {
		response.Body = o.WithHealth(health)
	}
	return response, err
}

// Health answers GET /api/postgres_databases/{id_or_name}/health: 200 with what the last
// check found. Nothing is dialled.
func (d Databases) Health(ctx context.Context, r *Request) (Response, error) {
	_, health, err := d.Service.Health(ctx, r.Account, r.ref())
	if err != nil {
		return Response{}, err
	}
	return Response{Status: http.StatusOK, Body: health, Findings: health.Checks.Codes()}, nil
}
