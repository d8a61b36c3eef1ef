package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/headgate/headgate/internal/database"
)

type listBody struct {
	Data       []json.RawMessage `json:"data"`
	NextCursor string            `json:"next_cursor,omitempty"`
}

// List answers GET /api/postgres_databases: 200 with the objects, newest last: up
// to the limit, or as many as fit into a response.
func (d Databases) List(ctx context.Context, r *Request) (Response, error) {
	sensitive, withHealth := r.flag("show_sensitive", false), r.includesHealth()
	limit := r.limit()
	cursor := r.cursor()
	if err := r.faults.AsError(); err != nil {
		return Response{}, err
	}
	options := database.ListOptions{Cursor: cursor, WithPasswords: sensitive, WithHealth: withHealth}
	if limit > 0 {
		options.BatchSize = limit + 1 // one batch shows whether more remain
	}
	response := Response{Status: http.StatusOK}
	p := newPage(limit)
	var last database.Database
	for listed, err := range d.Service.List(ctx, r.Account, options) {
		if err != nil {
			return Response{}, err
		}
		o := object(listed.Database, listed.Passwords, sensitive)
		if body, ok := o.Body.(database.Object); ok && withHealth {
			o.Body = body.WithHealth(listed.Health)
		}
		added, err := p.add(o.Body)
		if err != nil {
			return Response{}, err
		}
		if !added {
			next, err := d.Service.Cursor(ctx, last)
			response.Body = listBody{p.elements, next}
			return response, err
		}
		response.Revealed = append(response.Revealed, o.Revealed...)
		last = listed.Database
	}
	response.Body = listBody{Data: p.elements}
	return response, nil
}
