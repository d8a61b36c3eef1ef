package customresource

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

const (
	// Budget is how long a change is tried. It is longer than [database.ClaimTime],
	// which a delete may have to wait for.
	Budget = 90 * time.Second
	// Timeout is the least that the function needs: a replacement that fails is removed
	// again, and then answered.
	Timeout = 2*Budget + answerTimeout
	// attemptPause is the pause before an operation is tried again.
	attemptPause = time.Second
)

// withoutAnswerTime returns ctx with a deadline that leaves the time for the answer:
// without one, the stack waits for an hour.
func withoutAnswerTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-answerTimeout))
}

func (h *Handler) create(ctx context.Context, account string, accountErr error, e cfn.Event) (database.Database, error) {
	p, err := payload(e.ResourceProperties)
	if err = join(accountErr, err); err != nil {
		return database.Database{}, err
	}
	return h.register(ctx, account, p, e.RequestID)
}

func (h *Handler) register(ctx context.Context, account string, p database.Payload, requestID string) (database.Database, error) {
	var made database.Created
	err := h.retry(ctx, func(ctx context.Context) (err error) {
		made, err = h.Service.Create(ctx, account, p, key(requestID))
		return err
	})
	return made.Database, err
}

// update changes the database where the account has it, whatever the account was before:
// a rollback comes from properties that were never in effect, or back to a database that
// was replaced and is not deleted yet. Where the account has neither, the database is
// replaced, because it can't move there.
func (h *Handler) update(ctx context.Context, account string, accountErr error, e cfn.Event) (database.Database, error) {
	p, err := patch(e.ResourceProperties, e.OldResourceProperties)
	if err = join(accountErr, err); err != nil {
		return database.Database{}, err
	}
	trying, cancel := context.WithTimeout(ctx, Budget)
	defer cancel()
	d, err := h.change(trying, account, e.PhysicalResourceID, p)
	if err == nil || apierror.KindOf(err) != apierror.NotFound || account == e.OldResourceProperties[accountID] {
		return d, err
	}
	replaced, err := h.replacedBy(trying, e)
	if err != nil {
		return database.Database{}, err
	}
	if d, err = h.change(trying, account, replaced, p); err == nil || apierror.KindOf(err) != apierror.NotFound {
		return d, err
	}
	return h.replace(ctx, trying, account, e)
}

// change updates the database with that ID. A physical ID of another form is of no
// database.
func (h *Handler) change(ctx context.Context, account, physicalID string, p database.Patch) (database.Database, error) {
	if !database.IsUUID(physicalID) {
		return database.Database{}, apierror.New(apierror.NotFound, apierror.NoDatabase, nil)
	}
	var updated database.Updated
	err := h.retry(ctx, func(ctx context.Context) (err error) {
		updated, err = h.Service.Update(ctx, account, physicalID, p, true)
		return err
	})
	return updated.Database, err
}

// replacedBy returns the ID of the database that the present one has replaced, empty if
// it has replaced none.
func (h *Handler) replacedBy(ctx context.Context, e cfn.Event) (string, error) {
	before, err := account(e.OldResourceProperties)
	if err != nil || !database.IsUUID(e.PhysicalResourceID) {
		return "", nil
	}
	var d database.Database
	err = h.retry(ctx, func(ctx context.Context) (err error) {
		d, err = h.Service.Get(ctx, before, e.PhysicalResourceID)
		return err
	})
	if err != nil && apierror.KindOf(err) != apierror.NotFound {
		return "", err
	}
	return d.Replaces, nil
}

// replace registers the database in another account. CloudFormation deletes the old one
// afterwards. After a failure it keeps the old one and knows of no other, so what may
// have been registered is deleted here. After a refusal that is nothing: the attempt that
// was refused holds the request's key, without which no earlier one can succeed.
func (h *Handler) replace(ctx, trying context.Context, account string, e cfn.Event) (database.Database, error) {
	p, err := payload(e.ResourceProperties)
	if err != nil {
		return database.Database{}, err
	}
	p.Replaces = e.PhysicalResourceID
	d, err := h.register(trying, account, p, e.RequestID)
	if err != nil && apierror.KindOf(err) != apierror.Invalid {
		err = errors.Join(err, h.remove(ctx, account, unregistered+e.RequestID))
	}
	return d, err
}

// remove deletes the database with that physical ID, or what a failed create may
// have registered. What is gone, or was never ours, is deleted.
func (h *Handler) remove(ctx context.Context, account, physicalID string) error {
	requestID, unregisteredID := strings.CutPrefix(physicalID, unregistered)
	err := h.retry(ctx, func(ctx context.Context) error {
		switch {
		case database.IsUUID(physicalID):
			_, err := h.Service.Delete(ctx, account, physicalID, database.DeleteOptions{})
			return err
		case unregisteredID:
			return h.Service.Forget(ctx, account, key(requestID))
		}
		return nil
	})
	if apierror.KindOf(err) == apierror.NotFound && err != nil {
		return nil
	}
	return err
}

// unregistered begins the physical ID of a resource whose create failed.
const unregistered = "unregistered-"

// key returns the idempotency key of a create.
func key(requestID string) string { return "cloudformation:" + requestID }

// retry calls do until it succeeds, fails for good, or the budget has ended.
func (h *Handler) retry(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, Budget)
	defer cancel()
	for {
		err := func() error {
			attempt, cancel := database.WithBudget(ctx)
			defer cancel()
			return do(attempt)
		}()
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok || !transient(e) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(attemptPause):
		}
	}
}

// transient reports whether a retry of the same operation may succeed.
func transient(e *apierror.Error) bool {
	switch e.Kind {
	case apierror.Throttled, apierror.Unavailable, apierror.UnknownOutcome:
		return true
	case apierror.Conflict:
		return e.Code == apierror.RequestInProgress || e.Code == apierror.VersionConflict
	}
	return false
}
