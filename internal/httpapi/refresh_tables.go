package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
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
	tables, report, err := d.Service.RefreshTables(ctx, r.Account, r.ref())
	if err != nil {
		return Response{}, err
	}
	if response, ok := failed(report); ok {
		return response, nil
	}
	p := newPage(0)
	truncated := tables.Truncated
	for _, table := range tables.Tables {
		added, err := p.add(table)
		if err != nil {
			return Response{}, err
		}
		if !added {
			truncated = true
			break
		}
	}
	body := tablesBody{true, p.elements, truncated}
	return Response{Status: http.StatusOK, Body: body, Findings: report.Codes()}, nil
}
