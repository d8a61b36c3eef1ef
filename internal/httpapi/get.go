package httpapi

import (
	"context"

	"github.com/headgate/headgate/internal/database"
)

// Get answers GET /api/postgres_databases/{id_or_name}: 200 with the object.
func (d Databases) Get(ctx context.Context, r *Request) (Response, error) {
	sensitive := r.flag("show_sensitive", false)
	if err := r.faults.AsError(); err != nil {
		return Response{}, err
	}
	db, err := d.Service.Get(ctx, r.Account, r.ref())
	if err != nil {
		return Response{}, err
	}
	return d.reveal(ctx, db, database.Passwords{}, sensitive)
}
