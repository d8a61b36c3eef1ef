package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

type listBody struct {
	Data       []json.RawMessage `json:"data"`
	NextCursor string            `json:"next_cursor,omitempty"`
}

// List answers GET /api/postgres_databases: 200 with the objects, newest last.
func (d Databases) List(ctx context.Context, r *Request) (Response, error) {
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
	page, err := d.Service.List(ctx, r.Account, o)
	if err != nil {
		return Response{}, err
	}
	return Response{Status: http.StatusOK, Body: listBody{page.Objects, page.Next}, Revealed: page.Revealed}, nil
}
