package vault

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// Prepare has the connection made that Create needs.
func (v *Vault) Prepare(ctx context.Context) {
	if v.config.Ahead != nil {
		v.config.Ahead(ctx)
	}
}

// Create makes d's secret with its first version, whose name is d.ID. The same
// call again counts as done; another one for the same ID is refused. The error's
// kind is Throttled, Unavailable or Internal.
func (v *Vault) Create(ctx context.Context, d database.Database, p database.Passwords) (string, error) {
	secret, err := encode(d, p)
	if err != nil {
		return "", internal(err)
	}
	in := &secretsmanager.CreateSecretInput{
		Name: v.name(d.Account, d.ID), ClientRequestToken: &d.ID, SecretString: &secret,
		Tags: v.tags(d),
	}
	if v.config.KMSKeyID != "" {
		in.KmsKeyId = &v.config.KMSKeyID
	}
	err = do(ctx, func(ctx context.Context) error {
		_, err := v.client.CreateSecret(ctx, in, once)
		return err
	})
	if isNotFound(err) {
		// Not the secret, which is yet to be: the key that it should be encrypted with.
		return "", internal(quieten("CreateSecret", err))
	}
	return v.kept(ctx, "CreateSecret", d, d.ID, secret, err)
}

// AddVersion keeps another version of d's passwords, which is not the current
// one until Promote is called with its name, token: a UUID that no other version
// of the secret has. The same call again counts as done. The error's kind is
// NotFound where there is no secret, Throttled, Unavailable or Internal.
//
// Secrets Manager keeps versions with a label, and advises against a new one
// more often than every ten minutes over a long time.
func (v *Vault) AddVersion(ctx context.Context, d database.Database, p database.Passwords, token string) (string, error) {
	secret, err := encode(d, p)
	if err != nil {
		return "", internal(err)
	}
	in := &secretsmanager.PutSecretValueInput{
		SecretId: v.name(d.Account, d.ID), ClientRequestToken: &token, SecretString: &secret,
		VersionStages: []string{ownLabel(token)},
	}
	err = do(ctx, func(ctx context.Context) error {
		_, err := v.client.PutSecretValue(ctx, in, once)
		return err
	})
	if isInvalidRequest(err) && v.isScheduled(ctx, d.Account, d.ID) {
		return "", apierror.New(apierror.NotFound, "the passwords were not found", quieten("PutSecretValue", err))
	}
	return v.kept(ctx, "PutSecretValue", d, token, secret, err)
}

// kept is the outcome of a call that keeps secret as a version. Secrets Manager
// answers the same call again with success, so what "exists" is another secret
// or version; but a service that is compatible and no more may answer so to the
// same call too, which is told by what is kept.
func (v *Vault) kept(ctx context.Context, operation string, d database.Database, version, secret string, err error) (string, error) {
	if err == nil {
		return version, nil
	}
	if _, exists := errors.AsType[*types.ResourceExistsException](err); exists {
		found, readErr := v.value(ctx, d.Account, d.ID, version)
		switch {
		case readErr == nil && found == secret:
			return version, nil
		case readErr != nil && !isNotFound(readErr):
			return "", fail("GetSecretValue", readErr)
		}
	}
	return "", fail(operation, err)
}

// value is the string of a version of a secret.
func (v *Vault) value(ctx context.Context, account, id, version string) (string, error) {
	var secret string
	err := do(ctx, func(ctx context.Context) error {
		out, err := v.client.GetSecretValue(ctx, v.valueInput(account, id, version), once)
		if err == nil {
			secret = aws.ToString(out.SecretString)
		}
		return err
	})
	return secret, err
}

func (v *Vault) valueInput(account, id, version string) *secretsmanager.GetSecretValueInput {
	return &secretsmanager.GetSecretValueInput{SecretId: v.name(account, id), VersionId: &version}
}

func (v *Vault) tags(d database.Database) []types.Tag {
	return []types.Tag{
		{Key: aws.String(TagTable), Value: &v.config.Table},
		{Key: aws.String(TagAccount), Value: aws.String(d.Account)},
		{Key: aws.String(TagDatabase), Value: aws.String(d.ID)},
	}
}

// Discard removes the secret of a database that was never registered, at once
// and for good. One that is not there counts as removed. The error's kind is
// Throttled, Unavailable or Internal.
func (v *Vault) Discard(ctx context.Context, account, id string) error {
	err := v.remove(ctx, &secretsmanager.DeleteSecretInput{
		SecretId: v.name(account, id), ForceDeleteWithoutRecovery: aws.Bool(true),
	})
	if err == nil || isNotFound(err) {
		return nil
	}
	return fail("DeleteSecret", err)
}

// ScheduleDeletion removes a secret in seven days, until when it can be
// restored. One that is scheduled already, or not there, counts as done. The
// error's kind is Throttled, Unavailable or Internal.
func (v *Vault) ScheduleDeletion(ctx context.Context, account, id string) error {
	err := v.remove(ctx, &secretsmanager.DeleteSecretInput{
		SecretId: v.name(account, id), RecoveryWindowInDays: aws.Int64(recoveryDays),
	})
	switch {
	case err == nil, isNotFound(err):
		return nil
	case isInvalidRequest(err) && v.isScheduled(ctx, account, id):
		return nil
	}
	return fail("DeleteSecret", err)
}

func (v *Vault) remove(ctx context.Context, in *secretsmanager.DeleteSecretInput) error {
	return do(ctx, func(ctx context.Context) error {
		_, err := v.client.DeleteSecret(ctx, in, once)
		return err
	})
}

func isInvalidRequest(err error) bool {
	_, ok := errors.AsType[*types.InvalidRequestException](err)
	return ok
}

// isScheduled tells a secret on its way to deletion from the other reasons for
// an InvalidRequestException, which differ in nothing but their text.
func (v *Vault) isScheduled(ctx context.Context, account, id string) bool {
	var scheduled bool
	err := do(ctx, func(ctx context.Context) error {
		out, err := v.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: v.name(account, id)}, once)
		scheduled = err == nil && out.DeletedDate != nil
		return err
	})
	return err == nil && scheduled
}
