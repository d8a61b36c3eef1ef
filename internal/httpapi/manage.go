package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// ref is how the path names a database.
func (r *Request) ref() string { return r.Params["id_or_name"] }

type listBody struct {
	Data       []json.RawMessage `json:"data"`
	NextCursor string            `json:"next_cursor,omitempty"`
}

// List is GET /api/postgres_databases: 200 with the objects, newest last.
func List(s *database.Service) Endpoint {
	return func(ctx context.Context, r *Request) (Response, error) {
		faults := apierror.FieldErrors{}
		o := database.ListOptions{Sensitive: r.flag("show_sensitive", false, faults), Limit: r.limit(faults)}
		cursor, given := r.query("cursor", faults)
		if given && cursor == "" {
			faults.Add("cursor", "must not be empty")
		}
		o.Cursor = cursor
		if err := faults.AsError(); err != nil {
			return Response{}, err
		}
		page, err := s.List(ctx, r.Account, o)
		if err != nil {
			return Response{}, err
		}
		return Response{Status: http.StatusOK, Body: listBody{page.Objects, page.Next}, Revealed: page.Revealed}, nil
	}
}

// Get is GET /api/postgres_databases/{id_or_name}: 200 with the object.
func Get(s *database.Service) Endpoint {
	return func(ctx context.Context, r *Request) (Response, error) {
		faults := apierror.FieldErrors{}
		sensitive := r.flag("show_sensitive", false, faults)
		if err := faults.AsError(); err != nil {
			return Response{}, err
		}
		d, err := s.Get(ctx, r.Account, r.ref())
		if err != nil {
			return Response{}, err
		}
		return reveal(ctx, s, d, database.Passwords{}, sensitive)
	}
}

// Update is PUT and PATCH /api/postgres_databases/{id_or_name}: 200 with the
// object as it is now.
func Update(s *database.Service) Endpoint {
	return func(ctx context.Context, r *Request) (Response, error) {
		faults := apierror.FieldErrors{}
		sensitive := r.flag("show_sensitive", false, faults)
		verify := r.flag("verify", true, faults)
		p, err := database.ParsePatch(r.Body)
		if err != nil {
			return Response{}, err
		}
		u, err := s.Update(ctx, r.Account, r.ref(), p.With(faults), verify)
		if err != nil {
			return Response{}, err
		}
		return reveal(ctx, s, u.Database, u.Passwords, sensitive)
	}
}

// reveal is the answer that is one database, with its password where that was
// asked for; it is read where it is not known.
func reveal(ctx context.Context, s *database.Service, d database.Database, p database.Passwords, sensitive bool) (Response, error) {
	if sensitive && p.Main == "" {
		var err error
		if p, err = s.Passwords(ctx, d); err != nil {
			return Response{}, err
		}
	}
	return object(d, p, sensitive), nil
}

type deletedBody struct {
	Success bool   `json:"success"`
	ID      string `json:"id"`
}

// Delete is DELETE /api/postgres_databases/{id_or_name}: 200 with the ID.
func Delete(s *database.Service) Endpoint {
	return func(ctx context.Context, r *Request) (Response, error) {
		id, err := s.Delete(ctx, r.Account, r.ref())
		return Response{Status: http.StatusOK, Body: deletedBody{true, id}}, err
	}
}

type failedBody struct {
	Success bool         `json:"success"`
	Reason  string       `json:"reason"`
	Checks  check.Report `json:"checks"`
}

// unfit is the answer of a target that failed a check.
func unfit(report check.Report) (Response, bool) {
	failure, failed := report.FirstFailure()
	return Response{Status: http.StatusUnprocessableEntity, Body: failedBody{false, failure.Message, report}}, failed
}

// Test is POST /api/postgres_databases/{id_or_name}/test_connection: 200 or 422
// with the checks.
func Test(s *database.Service) Endpoint {
	return func(ctx context.Context, r *Request) (Response, error) {
		report, err := s.Test(ctx, r.Account, r.ref())
		if err != nil {
			return Response{}, err
		}
		if response, failed := unfit(report); failed {
			return response, nil
		}
		return Response{Status: http.StatusOK, Body: checkedBody{true, report}}, nil
	}
}

type tablesBody struct {
	Success   bool             `json:"success"`
	Tables    []database.Table `json:"tables"`
	Truncated bool             `json:"truncated,omitempty"`
}

// Refresh is POST /api/postgres_databases/{id_or_name}/refresh_tables: 200 with
// what the publication holds, or 422 with the checks.
func Refresh(s *database.Service) Endpoint {
	return func(ctx context.Context, r *Request) (Response, error) {
		tables, report, err := s.Tables(ctx, r.Account, r.ref())
		if err != nil {
			return Response{}, err
		}
		if response, failed := unfit(report); failed {
			return response, nil
		}
		body := tablesBody{true, tables.Tables, tables.Truncated}
		if body.Tables == nil {
			body.Tables = []database.Table{}
		}
		return Response{Status: http.StatusOK, Body: body}, nil
	}
}

// Endpoints are those of all operations on databases, over one service.
func Endpoints(s *database.Service) map[Operation]Endpoint {
	return map[Operation]Endpoint{
		CreateDatabase: Create(s), ListDatabases: List(s), GetDatabase: Get(s), UpdateDatabase: Update(s),
		DeleteDatabase: Delete(s), TestDatabase: Test(s), RefreshTables: Refresh(s),
	}
}
