package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// The tags of a secret's owner.
const (
	// TagSharedWith shares the secret with one account of one deployment, as
	// <prefix>/<account>. The functions' roles may read only secrets with this tag.
	TagSharedWith = "headgate:shared-with"
	// TagHost is the host, or host:port, that the password may be used for, where the
	// secret itself does not say so.
	TagHost = "headgate:host"
)

// References reads secrets that belong to others. It is safe for concurrent use.
type References struct {
	client *secretsmanager.Client
	// prefix is that of this deployment's own secrets.
	prefix string
}

var _ database.References = (*References)(nil)

// Open returns the current version of a secret in RDS's form. It reads the value
// only after the secret's tag shows that it is shared with the account. A secret
// that is not gets the same error as one that does not exist. The host and the port
// are the owner's choice, in the secret or by the tag.
func (r *References) Open(ctx context.Context, account, arn string) (database.Referenced, error) {
	described, err := awsretry.Call(ctx, usual(), r.client.DescribeSecret, &secretsmanager.DescribeSecretInput{SecretId: &arn})
	if err != nil {
		return database.Referenced{}, openError("DescribeSecret", err)
	}
	tags := tagsOf(described.Tags)
	if tags[TagSharedWith] != r.prefix+"/"+account {
		return database.Referenced{}, apierror.New(apierror.NotFound, "the secret is not shared with the account", nil)
	}
	out, err := awsretry.Call(ctx, usual(), r.client.GetSecretValue, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if isDenied(err) {
		return database.Referenced{}, apierror.New(apierror.Invalid, "names a secret that is shared with this account and may not be read: "+
			"this deployment may not use the KMS key that encrypts it, unless the parameter SharedSecretKeyArns lists the key", redact("GetSecretValue", err))
	}
	if err != nil {
		return database.Referenced{}, openError("GetSecretValue", err)
	}
	return parseReferenced(aws.ToString(out.SecretString), tags[TagHost])
}

func isDenied(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == "AccessDeniedException"
}

// openError separates what the secret's owner can fix from transient errors.
func openError(operation string, err error) error {
	if isDenied(err) {
		return apierror.New(apierror.NotFound, "the secret may not be read", redact(operation, err))
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return callError(operation, err)
	}
	switch api.ErrorCode() {
	case "InvalidRequestException", "InvalidParameterException", "ValidationException", "DecryptionFailure":
		return apierror.New(apierror.Invalid, "names a secret that can't be read: it is scheduled for deletion, or its KMS key can't be used", redact(operation, err))
	}
	return callError(operation, err)
}

// parseReferenced reads a secret in RDS's form. The port may be a string, which
// some tools write. Without a host in the secret, tag is the host or host:port. Its
// caller checks the values. Errors do not quote the secret.
func parseReferenced(secret, tag string) (database.Referenced, error) {
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
	host := s.Host
	if host == "" {
		var ok bool
		if host, port, ok = splitHost(tag, port); !ok {
			return invalid("that has no host, and no tag " + TagHost + " of the form host or host:port: its owner has to say which host the password is for")
		}
	}
	return database.Referenced{Username: s.Username, Password: database.Password(s.Password), Host: host, Port: cmp.Or(port, database.DefaultPort)}, nil
}

// splitHost reads a host, or a host and a port. port is the one to return where tag
// has none.
func splitHost(tag string, port int) (string, int, bool) {
	if addr, err := netip.ParseAddr(strings.Trim(tag, "[]")); err == nil {
		return addr.String(), port, true
	}
	i := strings.LastIndexByte(tag, ':')
	if i < 0 {
		return tag, port, tag != ""
	}
	n, err := strconv.ParseUint(tag[i+1:], 10, 16)
	if err != nil || n == 0 || i == 0 {
		return "", 0, false
	}
	return strings.Trim(tag[:i], "[]"), int(n), true
}
