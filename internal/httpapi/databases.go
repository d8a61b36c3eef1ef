package httpapi

import (
	"context"
	"net/http"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// Databases holds the endpoints of the operations on databases.
type Databases struct{ Service *database.Service }

// Endpoints returns every endpoint by its operation.
func (d Databases) Endpoints() map[Operation]Endpoint {
	return map[Operation]Endpoint{
		CreateDatabase: d.Create, ListDatabases: d.List, GetDatabase: d.Get, GetHealth: d.Health, UpdateDatabase: d.Update,
		DeleteDatabase: d.Delete, TestConnection: d.TestConnection, RefreshTables: d.RefreshTables,
	}
}

// ref returns the {id_or_name} of the path.
func (r *Request) ref() string { return r.Params["id_or_name"] }

// object returns the response that is one database. Its password is masked
// where it is unknown.
func object(db database.Database, p database.Passwords, sensitive bool) Response {
	o := db.Object()
	r := Response{Status: http.StatusOK}
	for _, w := range db.Warnings {
		r.Findings = append(r.Findings, w.Code)
	}
	if sensitive && p.Main != "" {
		o = o.Reveal(p.Main)
		r.Revealed = []string{db.ID}
	}
	r.Body = o
	return r
}

// reveal is object, but reads the password where it was asked for and p does
// not have it.
func (d Databases) reveal(ctx context.Context, db database.Database, p database.Passwords, sensitive bool) (Response, error) {
	if sensitive && p.Main == "" {
		var err error
		if p, err = d.Service.Passwords(ctx, db); err != nil {
			return Response{}, err
		}
	}
	return object(db, p, sensitive), nil
}

// checkedBody is the body of a response about a target that passed.
type checkedBody struct {
	Success bool         `json:"success"`
	Checks  check.Report `json:"checks"`
}

// passed returns the 200 of a target that passed.
func passed(report check.Report) Response {
	return Response{Status: http.StatusOK, Body: checkedBody{true, report}, Findings: report.Codes()}
}

// failedBody is the body of a response about a registered target that failed a
// check.
type failedBody struct {
	Success bool         `json:"success"`
	Reason  string       `json:"reason"`
	Checks  check.Report `json:"checks"`
}

// failed returns the 422 of a registered target and whether report has a failure.
func failed(report check.Report) (Response, bool) {
	first, ok := report.FirstFailure()
	return Response{
		Status: http.StatusUnprocessableEntity, Body: failedBody{false, first.Message, report},
		Code: first.Code, Findings: report.Codes(),
	}, ok
}
