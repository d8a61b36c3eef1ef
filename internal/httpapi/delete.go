package httpapi

import (
	"context"
	"net/http"
)

type deletedBody struct {
	Success bool   `json:"success"`
	ID      string `json:"id"`
}

// Delete answers DELETE /api/postgres_databases/{id_or_name}: 200 with the ID.
func (d Databases) Delete(ctx context.Context, r *Request) (Response, error) {
	id, err := d.Service.Delete(ctx, r.Account, r.ref())
	return Response{Status: http.StatusOK, Body: deletedBody{true, id}}, err
}
