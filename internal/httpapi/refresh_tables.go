package httpapi

import (
	"context"
	"net/http"

	"github.com/headgate/headgate/internal/database"
)

type tablesBody struct {
	Success   bool             `json:"success"`
	Tables    []database.Table `json:"tables"`
	Truncated bool             `json:"truncated,omitempty"`
}

// RefreshTables answers POST
// /api/postgres_databases/{id_or_name}/refresh_tables: 200 with the tables of
// the publication, or 422 with the checks.
func (d Databases) RefreshTables(ctx context.Context, r *Request) (Response, error) {
	tables, report, err := d.Service.RefreshTables(ctx, r.Account, r.ref())
	if err != nil {
		return Response{}, err
	}
	if response, ok := failed(report); ok {
		return response, nil
	}
	body := tablesBody{true, tables.Tables, tables.Truncated}
	if body.Tables == nil {
		body.Tables = []database.Table{}
	}
	return Response{Status: http.StatusOK, Body: body, Findings: report.Codes()}, nil
}
