package vault

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// Prepare opens the connection that Create needs.
func (v *Vault) Prepare(ctx context.Context) {
	if v.config.Preconnect != nil {
		v.config.Preconnect(ctx)
	}
}

// Create creates d's secret. Its first version is d.ID. Create is idempotent; other passwords for the same ID are an error. The error's kind is
// Throttled, Unavailable or Internal.
func (v *Vault) Create(ctx context.Context, d database.Database, p database.Passwords) (database.SecretVersion, error) {
	secret, err := encode(d, p)
	if err != nil {
		return database.SecretVersion{}, internal(err)
	}
	created, err := v.createSecret(ctx, d, secret, d.ID)
	switch {
	case err == nil:
		return created, nil
	case isNotFound(err):
		// It is the encryption key that does not exist.
		return database.SecretVersion{}, internal(redact("CreateSecret", err))
	}
	return v.stored(ctx, "CreateSecret", d, d.ID, secret, err)
}

// AddVersion adds a version with token as its VersionId. The version is not current until Promote is called. token is a UUID that no other
// version of the secret has. AddVersion is idempotent. The error's kind is NotFound
// if there is no secret, Throttled, Unavailable or Internal.
//
// Secrets Manager removes versions without a label, and advises against new ones
// at a sustained rate of more than one in ten minutes.
func (v *Vault) AddVersion(ctx context.Context, d database.Database, p database.Passwords, token string) (database.SecretVersion, error) {
	secret, err := encode(d, p)
	if err != nil {
		return database.SecretVersion{}, internal(err)
	}
	in := &secretsmanager.PutSecretValueInput{
		SecretId: v.name(d.Account, d.ID), ClientRequestToken: &token, SecretString: &secret,
		VersionStages: []string{versionLabel(token)},
	}
	out, err := awsretry.Call(ctx, usual(), v.client.PutSecretValue, in)
	if err == nil {
		return database.SecretVersion{Version: token, ARN: aws.ToString(out.ARN)}, nil
	}
	if isInvalidRequest(err) && v.isScheduled(ctx, d.Account, d.ID) {
		return database.SecretVersion{}, notFound("PutSecretValue", err)
	}
	return v.stored(ctx, "PutSecretValue", d, token, secret, err)
}

// Recreate creates d's secret with token as its first version. If the secret exists,
// perhaps scheduled for deletion, Recreate restores it and adds the version. It is
// idempotent. The error's kind is Throttled, Unavailable or Internal.
func (v *Vault) Recreate(ctx context.Context, d database.Database, p database.Passwords, token string) (database.SecretVersion, error) {
	secret, err := encode(d, p)
	if err != nil {
		return database.SecretVersion{}, internal(err)
	}
	created, err := v.createSecret(ctx, d, secret, token)
	_, exists := errors.AsType[*types.ResourceExistsException](err)
	switch {
	case err == nil:
		return created, nil
	case !exists && !isInvalidRequest(err):
		return database.SecretVersion{}, callError("CreateSecret", err)
	}
	if err := v.Restore(ctx, d.Account, d.ID); err != nil {
		return database.SecretVersion{}, err
	}
	return v.AddVersion(ctx, d, p, token)
}

// createSecret creates d's secret with token as its first version.
func (v *Vault) createSecret(ctx context.Context, d database.Database, secret, token string) (database.SecretVersion, error) {
	in := &secretsmanager.CreateSecretInput{
		Name: v.name(d.Account, d.ID), ClientRequestToken: &token, SecretString: &secret,
		Tags: v.tags(d),
	}
	if v.config.KMSKeyID != "" {
		in.KmsKeyId = &v.config.KMSKeyID
	}
	out, err := awsretry.Call(ctx, usual(), v.client.CreateSecret, in)
	if err != nil {
		return database.SecretVersion{}, err
	}
	return database.SecretVersion{Version: token, ARN: aws.ToString(out.ARN)}, nil
}

// Restore cancels the scheduled deletion of a secret. A secret that is not scheduled,
// or does not exist, is no error. The error's kind is Throttled, Unavailable or
// Internal.
func (v *Vault) Restore(ctx context.Context, account, id string) error {
	_, err := awsretry.Call(ctx, usual(), v.client.RestoreSecret, &secretsmanager.RestoreSecretInput{SecretId: v.name(account, id)})
	if err == nil || isNotFound(err) {
		return nil
	}
	return callError("RestoreSecret", err)
}

// stored returns the version that a write stored although it failed with err. Secrets
// Manager accepts the same write again; compatible services may answer that the
// version exists, which is a success if it holds the same text.
func (v *Vault) stored(ctx context.Context, operation string, d database.Database, version, secret string, err error) (database.SecretVersion, error) {
	if _, exists := errors.AsType[*types.ResourceExistsException](err); exists {
		found, readErr := awsretry.Call(ctx, usual(), v.client.GetSecretValue, v.valueInput(d.Account, d.ID, version))
		switch {
		case readErr == nil && aws.ToString(found.SecretString) == secret:
			return database.SecretVersion{Version: version, ARN: aws.ToString(found.ARN)}, nil
		case readErr != nil && !isNotFound(readErr):
			return database.SecretVersion{}, callError("GetSecretValue", readErr)
		}
	}
	return database.SecretVersion{}, callError(operation, err)
}

func (v *Vault) tags(d database.Database) []types.Tag {
	return []types.Tag{
		{Key: aws.String(TagTable), Value: &v.config.Table},
		{Key: aws.String(TagAccount), Value: aws.String(d.Account)},
		{Key: aws.String(TagDatabase), Value: aws.String(d.ID)},
	}
}

// Discard deletes, without a recovery window, the secret of a database that was
// never registered. A secret that does not exist is no error. The error's kind is
// Throttled, Unavailable or Internal.
func (v *Vault) Discard(ctx context.Context, account, id string) error {
	_, err := awsretry.Call(ctx, usual(), v.client.DeleteSecret, &secretsmanager.DeleteSecretInput{
		SecretId: v.name(account, id), ForceDeleteWithoutRecovery: aws.Bool(true),
	})
	if err == nil || isNotFound(err) {
		return nil
	}
	return callError("DeleteSecret", err)
}

// ScheduleDeletion deletes a secret with a recovery window of 7 days. A secret that
// is scheduled already, or does not exist, is no error. The error's kind is
// Throttled, Unavailable or Internal.
func (v *Vault) ScheduleDeletion(ctx context.Context, account, id string) error {
	_, err := awsretry.Call(ctx, usual(), v.client.DeleteSecret, &secretsmanager.DeleteSecretInput{
		SecretId: v.name(account, id), RecoveryWindowInDays: aws.Int64(recoveryDays),
	})
	switch {
	case err == nil, isNotFound(err):
		return nil
	case isInvalidRequest(err) && v.isScheduled(ctx, account, id):
		return nil
	}
	return callError("DeleteSecret", err)
}

// isScheduled reports whether a secret is scheduled for deletion. The
// InvalidRequestException of a call does not tell that from other reasons, except
// by its text.
func (v *Vault) isScheduled(ctx context.Context, account, id string) bool {
	out, err := awsretry.Call(ctx, usual(), v.client.DescribeSecret, &secretsmanager.DescribeSecretInput{SecretId: v.name(account, id)})
	return err == nil && out.DeletedDate != nil
}
