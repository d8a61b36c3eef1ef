package vault

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// TagSharedWith is the tag by which a secret's owner opens it to one account of
// this deployment: the role may read only secrets that bear it.
const TagSharedWith = "headgate:shared-with"

// References opens secrets that are not ours. It implements
// database.References.
type References struct{ client Client }

var _ database.References = (*References)(nil)

// NewReferences makes References.
func NewReferences(client Client) *References { return &References{client: client} }

// Open reads the current version of a secret in the RDS form, after its tag has
// shown that it is shared with the account: until then its value is not asked
// for. One that may not be read is answered like one that does not exist.
func (r *References) Open(ctx context.Context, account, arn string) (database.Referenced, error) {
	var none database.Referenced
	shared := false
	err := do(ctx, func(ctx context.Context) error {
		out, err := r.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &arn}, once)
		if err != nil {
			return err
		}
		for _, tag := range out.Tags {
			shared = shared || aws.ToString(tag.Key) == TagSharedWith && aws.ToString(tag.Value) == account
		}
		return nil
	})
	if err != nil {
		return none, openFailure("DescribeSecret", err)
	}
	if !shared {
		return none, apierror.New(apierror.NotFound, "the secret is not shared with the account", nil)
	}
	var secret string
	err = do(ctx, func(ctx context.Context) error {
		out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn}, once)
		if err == nil {
			secret = aws.ToString(out.SecretString)
		}
		return err
	})
	if err != nil {
		return none, openFailure("GetSecretValue", err)
	}
	return parseReferenced(secret)
}

// openFailure tells what the owner of a secret can mend from what passes.
func openFailure(operation string, err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return fail(operation, err)
	}
	switch api.ErrorCode() {
	case "AccessDeniedException":
		return apierror.New(apierror.NotFound, "the secret may not be read", quieten(operation, err))
	case "InvalidRequestException", "InvalidParameterException", "ValidationException", "DecryptionFailure":
		return apierror.New(apierror.Invalid, "names a secret that can't be read: it is scheduled for deletion, or its key is out of reach", quieten(operation, err))
	}
	return fail(operation, err)
}

// parseReferenced reads a secret in the form that RDS gives it. Its port is a
// number, or a string as some tools write it.
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
	// The decoder's error may quote the secret.
	if json.Unmarshal([]byte(secret), &s) != nil {
		return invalid(`of another form than RDS's {"engine","host","port","username","password","dbname"}`)
	}
	port := 0
	if s.Port != "" {
		n, err := s.Port.Int64()
		if err != nil || n < 1 || n > 65535 {
			return invalid("whose port is none")
		}
		port = int(n)
	}
	const most = 4096
	switch {
	case s.Engine != "" && s.Engine != "postgres" && s.Engine != "aurora-postgresql":
		return invalid("of another engine than postgres")
	case s.Password == "":
		return invalid("that has no password")
	case len(s.Password) > most:
		return invalid("whose password is over 4096 bytes")
	}
	return database.Referenced{Username: s.Username, Password: database.Password(s.Password), Host: s.Host, Port: port}, nil
}
