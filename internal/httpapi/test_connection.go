package httpapi

import (
	"context"
)

// TestConnection answers POST
// /api/postgres_databases/{id_or_name}/test_connection: 200 or 422 with the
// checks.
func (d Databases) TestConnection(ctx context.Context, r *Request) (Response, error) {
	report, err := d.Service.TestConnection(ctx, r.Account, r.ref())
	if err != nil {
		return Response{}, err
	}
	if response, ok := failed(report); ok {
		return response, nil
	}
	return passed(report), nil
}
