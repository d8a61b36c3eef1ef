package httpapi

import (
	"context"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// Update answers PUT and PATCH /api/postgres_databases/{id_or_name}: 200 with
// the object as it is after the update or, with dry_run=true, with the checks.
func (d Databases) Update(ctx context.Context, r *Request) (Response, error) {
	sensitive := r.flag("show_sensitive", false)
	verify := r.flag("verify", true)
	dryRun := r.flag("dry_run", false)
	p, err := database.ParsePatch(r.Body)
	if err != nil {
		return Response{}, err
	}
	p = p.With(r.faults)
	if dryRun {
		report, err := d.Service.DryRunUpdate(ctx, r.Account, r.ref(), p, verify)
		return passed(report), r.orFaults(err)
	}
	updated, err := d.Service.Update(ctx, r.Account, r.ref(), p, verify)
	if err != nil {
		return Response{}, r.orFaults(err)
	}
	response, err := d.reveal(ctx, updated.Database, updated.Passwords, sensitive)
	if o, ok := response.Body.(database.Object); ok {
		o.LeftOnTarget = updated.LeftOnTarget
		response.Body = o
	}
	return response, err
}

// orFaults returns err, or the faults of r where there is no such database: on every
// route, those come first.
func (r *Request) orFaults(err error) error {
	if len(r.faults) > 0 && apierror.KindOf(err) == apierror.NotFound {
		return r.faults.AsError()
	}
	return err
}
