package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"github.com/headgate/headgate/internal/database"
)

type tablesBody struct {
	Success   bool              `json:"success"`
	Tables    []json.RawMessage `json:"tables"`
	Truncated bool              `json:"truncated,omitempty"`
}

// RefreshTables answers POST
// /api/postgres_databases/{id_or_name}/refresh_tables: 200 with the tables of the
// publication, as many as fit into a response, or 422 with the checks.
func (d Databases) RefreshTables(ctx context.Context, r *Request) (Response, error) {
	p := newPage(0)
	truncated := false
	var failure error
	report, err := d.Service.RefreshTables(ctx, r.Account, r.ref(), func(t database.Table) bool {
		added, err := p.add(t)
		truncated, failure = !added, err
		return added
	})
	if err := cmp.Or(err, failure); err != nil {
		return Response{}, err
	}
	if response, ok := failed(report); ok {
		return response, nil
	}
	body := tablesBody{true, p.elements, truncated}
	return Response{Status: http.StatusOK, Body: body, Findings: report.Codes()}, nil
}
