package httpapi

import (
	"context"

	"github.com/headgate/headgate/internal/database"
)

// Update answers PUT and PATCH /api/postgres_databases/{id_or_name}: 200 with
// the object as it is after the update.
func (d Databases) Update(ctx context.Context, r *Request) (Response, error) {
	sensitive := r.flag("show_sensitive", false)
	verify := r.flag("verify", true)
	p, err := database.ParsePatch(r.Body)
	if err != nil {
		return Response{}, err
	}
	updated, err := d.Service.Update(ctx, r.Account, r.ref(), p.With(r.faults), verify)
	if err != nil {
		return Response{}, err
	}
	return d.reveal(ctx, updated.Database, updated.Passwords, sensitive)
}
