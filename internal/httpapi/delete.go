package httpapi

import (
	"context"
	"net/http"

	"github.com/headgate/headgate/internal/database"
)

type deletedBody struct {
	Success      bool                   `json:"success"`
	ID           string                 `json:"id"`
	Dropped      []string               `json:"dropped,omitzero"`
	LeftOnTarget *database.LeftOnTarget `json:"left_on_target,omitempty"`
}

// Delete answers DELETE /api/postgres_databases/{id_or_name}: 200 with the ID, or 422
// where drop_slot=true asks for something that can't be dropped.
func (d Databases) Delete(ctx context.Context, r *Request) (Response, error) {
	o := database.DeleteOptions{DropSlot: r.flag("drop_slot", false), DropPublication: r.flag("drop_publication", false)}
	if o.DropPublication && !o.DropSlot && len(r.faults) == 0 {
		r.faults.Add("drop_publication", "needs drop_slot=true: without its publication, the slot fails its consumer")
	}
	if err := r.faults.AsError(); err != nil {
		return Response{}, err
	}
	deleted, err := d.Service.Delete(ctx, r.Account, r.ref(), o)
	if err != nil {
		return Response{}, err
	}
	if response, refused := failed(deleted.Refused); refused {
		return response, nil
	}
	return Response{Status: http.StatusOK, Body: deletedBody{true, deleted.ID, deleted.Dropped, deleted.LeftOnTarget}}, nil
}
