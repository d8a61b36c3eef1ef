package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/redact"
)

const (
	// undoTimeout bounds what is done about one request. The target has 10 seconds of it.
	undoTimeout = 20 * time.Second
	// giveUpAge is the age of a request that is given up: a target that refuses for so
	// long does not change its mind, and its items must not pile up.
	giveUpAge = 7 * 24 * time.Hour
	// maxNameBytes bounds a name in the log.
	maxNameBytes = 256
)

// undo drops what interrupted requests have made on targets. It returns the requests
// that are left, because they may be in progress or because something could not be
// dropped. Only a failure on this side is an error: a target that refuses is not, or
// whoever has one could make every sweep fail.
func (s *Sweeper) undo(ctx context.Context, pending []database.Pending, report *Report) (left []database.Pending, err error) {
	before, failed := s.Now().Add(-s.Age), 0
	ctx, cancel := withoutSecretsTime(ctx)
	defer cancel()
	for _, p := range inTurns(pending) {
		if !p.CreatedAt.Before(before) {
			left = append(left, p)
			continue
		}
		if err := s.undoOne(ctx, p, report); err != nil {
			left = append(left, p)
			if apierror.KindOf(err) != apierror.Invalid {
				failed++
			}
		}
	}
	if failed > 0 {
		return left, fmt.Errorf("undo interrupted requests: %d are left, with what they made on their targets; the log says why", failed)
	}
	return left, nil
}

// inTurns returns pending with one request of each account at a time, so that an account
// with many leaves time for the others.
func inTurns(pending []database.Pending) []database.Pending {
	turns := map[string]int{} // by account
	type turn struct {
		number int
		database.Pending
	}
	all := make([]turn, len(pending))
	for i, p := range pending {
		all[i] = turn{turns[p.Account], p}
		turns[p.Account]++
	}
	slices.SortStableFunc(all, func(a, b turn) int { return cmp.Compare(a.number, b.number) })
	ordered := make([]database.Pending, len(all))
	for i, t := range all {
		ordered[i] = t.Pending
	}
	return ordered
}

func (s *Sweeper) undoOne(ctx context.Context, p database.Pending, report *Report) error {
	name := func(text string) string { return redact.Line(text, maxNameBytes) }
	attrs := []any{
		"account_id", p.Account, "database", p.DatabaseID, "host", name(p.Endpoint.Hostname), "slot", name(p.Slot.SlotName), "publication", name(p.Slot.PublicationName),
	}
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
	if apierror.KindOf(err) == apierror.Invalid && p.CreatedAt.Before(s.Now().Add(-giveUpAge)) {
		s.Log.ErrorContext(ctx, "what an interrupted request made stays on its target: it is given up", append(attrs, "error", err)...)
		return s.Requests.GiveUp(ctx, p)
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
