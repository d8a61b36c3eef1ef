package vault

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// TagSharedWith is the tag by which a secret's owner shares it with one account of
// this deployment. The functions' role may read only secrets with this tag.
const TagSharedWith = "headgate:shared-with"

// References reads secrets that belong to others. It is safe for concurrent use.
type References struct{ client *secretsmanager.Client }

var _ database.References = (*References)(nil)

// Open returns the current version of a secret in RDS's form. It reads the value
// only after the secret's tag shows that it is shared with the account. A secret
// that may not be read gets the same error as one that does not exist.
func (r *References) Open(ctx context.Context, account, arn string) (database.Referenced, error) {
	shared, err := r.sharedWith(ctx, account, arn)
	if err != nil {
		return database.Referenced{}, openError("DescribeSecret", err)
	}
	if !shared {
		return database.Referenced{}, apierror.New(apierror.NotFound, "the secret is not shared with the account", nil)
	}
	var secret string
	err = call(ctx, func(ctx context.Context) error {
		out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
		if err == nil {
			secret = aws.ToString(out.SecretString)
		}
		return err
	})
	if err != nil {
		return database.Referenced{}, openError("GetSecretValue", err)
	}
	return parseReferenced(secret)
}

// sharedWith reports whether the secret has the tag for the account.
func (r *References) sharedWith(ctx context.Context, account, arn string) (shared bool, err error) {
	err = call(ctx, func(ctx context.Context) error {
		out, err := r.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &arn})
		if err != nil {
			return err
		}
		shared = slices.ContainsFunc(out.Tags, func(tag types.Tag) bool {
			return aws.ToString(tag.Key) == TagSharedWith && aws.ToString(tag.Value) == account
		})
		return nil
	})
	return shared, err
}

// openError separates what the secret's owner can fix from transient errors.
func openError(operation string, err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return callError(operation, err)
	}
	switch api.ErrorCode() {
	case "AccessDeniedException":
		return apierror.New(apierror.NotFound, "the secret may not be read", redact(operation, err))
	case "InvalidRequestException", "InvalidParameterException", "ValidationException", "DecryptionFailure":
		return apierror.New(apierror.Invalid, "names a secret that can't be read: it is scheduled for deletion, or its KMS key can't be used", redact(operation, err))
	}
	return callError(operation, err)
}

// parseReferenced reads a secret in RDS's form. The port may be a string, which
// some tools write. Its caller checks the values. Errors do not quote the secret.
func parseReferenced(secret string) (database.Referenced, error) {
	var s struct {
		Engine   string      `json:"engine"`
		Host     string      `json:"host"`
		Port     json.Number `json:"port"`
		Username string      `json:"username"`
		Password string      `json:"password"`
	}
	invalid := func(what string) (database.Referenced, error) {
		return database.Referenced{}, apierror.New(apierror.Invalid, "names a secret "+what, nil)
	}
	if json.Unmarshal([]byte(secret), &s) != nil {
		return invalid(`that is not in RDS's form, {"engine","host","port","username","password","dbname"}`)
	}
	port := 0
	if s.Port != "" {
		n, err := s.Port.Int64()
		if err != nil || n < 1 || n > 65535 {
			return invalid("whose port is not between 1 and 65535")
		}
		port = int(n)
	}
	if s.Engine != "" && s.Engine != "postgres" && s.Engine != "aurora-postgresql" {
		return invalid("whose engine is not postgres or aurora-postgresql")
	}
	return database.Referenced{Username: s.Username, Password: database.Password(s.Password), Host: s.Host, Port: port}, nil
}
