package customresource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/requestlog"
)

// operation is the name of the function, for the log and the metrics.
const operation = "provision-resource"

// The outcomes of a request in the log.
const (
	done     = "done"
	failed   = "failed"
	notOurs  = "not answered"
	notHeard = "answer not delivered"
)

// Service has the operations that a resource needs.
type Service interface {
	Create(ctx context.Context, account string, p database.Payload, key string) (database.Created, error)
	Update(ctx context.Context, account, ref string, p database.Patch, verify bool) (database.Updated, error)
	Delete(ctx context.Context, account, ref string, o database.DeleteOptions) (database.Deleted, error)
	Forget(ctx context.Context, account, key string) error
	Get(ctx context.Context, account, ref string) (database.Database, error)
}

// Handler handles CloudFormation's requests.
type Handler struct {
	Service Service
	// Client sends the answers.
	Client *http.Client
	// Region is that of the function. CloudFormation invokes it only for stacks of the
	// same one.
	Region string
	Log    *slog.Logger
	// Namespace is the metrics' namespace in CloudWatch. If it is empty, no metrics
	// are logged.
	Namespace string
}

// Serve returns the handler of the Lambda function.
func Serve(log *slog.Logger, service Service, client *http.Client, region string) func(context.Context, cfn.Event) error {
	return (&Handler{Service: service, Client: client, Region: region, Log: log, Namespace: requestlog.Namespace(lambdacontext.LogGroupName)}).Handle
}

// Handle does what CloudFormation requests, answers it, and logs the request. It
// returns an error only where the answer could not be delivered: Lambda then
// delivers the request again, which has the same result.
func (h *Handler) Handle(ctx context.Context, e cfn.Event) error {
	ctx = database.WithOrigin(requestlog.Start(ctx), database.Origin{RequestID: e.RequestID})
	entry := requestlog.Entry{Kind: requestlog.Event, RequestID: e.RequestID, Operation: operation, Outcome: done}
	entry.Account, _ = e.ResourceProperties[accountID].(string)
	if !database.IsAccount(entry.Account) {
		entry.Account = ""
	}
	defer func() { entry.Write(ctx, h.Log, h.Namespace) }()
	if entry.Err = checkURL(e.ResponseURL, h.Region); entry.Err != nil {
		entry.Outcome = notOurs
		return nil
	}
	response := cfn.NewResponse(&e)
	err := h.answer(ctx, e, response)
	if err != nil {
		entry.Outcome = failed
		note(&entry, err)
	}
	entry.Created = err == nil && e.RequestType == cfn.RequestCreate
	if err := h.send(ctx, e.ResponseURL, response); err != nil {
		entry.Outcome, entry.Err = notHeard, err
		return err
	}
	return nil
}

// note writes the error of an operation into the log's entry. A refusal is no
// failure on this side.
func note(entry *requestlog.Entry, err error) {
	refused, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		entry.Err = err
		return
	}
	entry.Code, entry.Findings = refused.Code, refused.Checks.Codes()
	if refused.Kind == apierror.Internal || transient(refused) {
		entry.Err = err
	}
}

// answer fills in the answer. Its error is that of the operation.
func (h *Handler) answer(ctx context.Context, e cfn.Event, r *cfn.Response) error {
	r.PhysicalResourceID, r.Status = e.PhysicalResourceID, cfn.StatusSuccess
	if e.RequestType == cfn.RequestCreate {
		r.PhysicalResourceID = unregistered + e.RequestID
	}
	work, cancel := withoutAnswerTime(ctx)
	defer cancel()
	d, err := h.do(work, e)
	if err != nil {
		r.Status, r.Reason = cfn.StatusFailed, reason(explain(err))
		return err
	}
	if d.ID != "" {
		r.PhysicalResourceID = d.ID
		r.Data = attributes(d)
	}
	return nil
}

// attributes returns what Fn::GetAtt gives.
func attributes(d database.Database) map[string]any {
	return map[string]any{"Id": d.ID, "Name": d.Name, "SecretArn": d.Endpoint.PasswordSecretARN}
}

// explain returns the reason of a failure, which holds nothing internal.
func explain(err error) string {
	e, ok := errors.AsType[*apierror.Error](err)
	switch {
	case !ok || e.Kind == apierror.Internal:
		return "headgate failed; its log has the cause under the request's ID"
	case e.Kind == apierror.NotFound:
		return apierror.NoDatabase
	}
	return apierror.Shown(e.Summary)
}

// do makes the request's change. It returns the database, empty after a delete.
func (h *Handler) do(ctx context.Context, e cfn.Event) (database.Database, error) {
	if err := sameOwner(ctx, e.StackID); err != nil {
		if e.RequestType == cfn.RequestDelete && !database.IsUUID(e.PhysicalResourceID) {
			err = nil // their create was refused
		}
		return database.Database{}, err
	}
	name, err := account(e.ResourceProperties)
	switch e.RequestType {
	case cfn.RequestDelete:
		if err != nil {
			return database.Database{}, nil // nothing can have been registered
		}
		return database.Database{}, h.remove(ctx, name, e.PhysicalResourceID)
	case cfn.RequestCreate:
		return h.create(ctx, name, err, e)
	case cfn.RequestUpdate:
		return h.update(ctx, name, err, e)
	}
	return database.Database{}, apierror.New(apierror.Invalid, "the request type is not Create, Update or Delete", nil)
}

// join returns the faults of the account and of the payload as one error.
func join(accountErr, err error) error {
	e, ok := errors.AsType[*apierror.Error](accountErr)
	if !ok {
		return err
	}
	return e.Fields.Join(err)
}

// sameOwner rejects the stacks of other AWS accounts. They can't invoke the function
// as it is deployed; this holds also where somebody added a permission to it.
func sameOwner(ctx context.Context, stackID string) error {
	lc, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return nil // not in Lambda
	}
	function, functionErr := arn.Parse(lc.InvokedFunctionArn)
	stack, stackErr := arn.Parse(stackID)
	if functionErr != nil || stackErr != nil || function.AccountID != stack.AccountID {
		return apierror.New(apierror.Invalid, fmt.Sprintf("only stacks of the AWS account of this headgate may use it, not %s", stackID), nil)
	}
	return nil
}
