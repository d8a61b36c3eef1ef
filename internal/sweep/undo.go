package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// undoTimeout bounds what is done about one request. The target has 10 seconds of it.
const undoTimeout = 20 * time.Second

// undo drops what interrupted requests have made on targets. It returns the requests
// that are left, because they may be in progress or because something could not be
// dropped; the error is about the latter.
func (s *Sweeper) undo(ctx context.Context, pending []database.Pending, report *Report) (left []database.Pending, err error) {
	before, failed := s.Now().Add(-s.Age), 0
	ctx, cancel := withoutSecretsTime(ctx)
	defer cancel()
	for _, p := range pending {
		if !p.CreatedAt.Before(before) {
			left = append(left, p)
			continue
		}
		if err := s.undoOne(ctx, p, report); err != nil {
			left = append(left, p)
			failed++
		}
	}
	if failed > 0 {
		return left, fmt.Errorf("undo interrupted requests: %d are left, with what they made on their targets; the log says why", failed)
	}
	return left, nil
}

func (s *Sweeper) undoOne(ctx context.Context, p database.Pending, report *Report) error {
	attrs := []any{"account_id", p.Account, "database", p.DatabaseID, "host", p.Endpoint.Hostname, "slot", p.Slot.SlotName, "publication", p.Slot.PublicationName}
	err := context.Cause(ctx)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, undoTimeout)
		defer cancel()
		var undone database.Undone
		undone, err = s.Requests.Undo(ctx, p)
		if undone.Dropped.Slot {
			report.SlotsDropped++
		}
		if err == nil {
			s.Log.InfoContext(ctx, "what an interrupted request made is dropped", append(attrs,
				"slot_dropped", undone.Dropped.Slot, "publication_dropped", undone.Dropped.Publication, "taken_up", undone.Kept)...)
			return nil
		}
	}
	if e, ok := errors.AsType[*apierror.Error](err); ok && e.Code != "" {
		attrs = append(attrs, "code", e.Code)
	}
	s.Log.ErrorContext(ctx, "what an interrupted request made is left on its target", append(attrs, "error", err)...)
	return err
}

// withoutSecretsTime ends ctx after two thirds of its time: targets that do not answer
// must not keep the secrets from being swept.
func withoutSecretsTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, time.Now().Add(time.Until(deadline)*2/3), errors.New("no time was left for it in this sweep"))
}
