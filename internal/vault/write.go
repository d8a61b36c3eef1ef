package vault

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

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
	arn, err := v.createSecret(ctx, d, secret, d.ID)
	if isNotFound(err) {
		// It is the encryption key that does not exist.
		return database.SecretVersion{}, internal(redact("CreateSecret", err))
	}
	return v.stored(ctx, "CreateSecret", d, database.SecretVersion{Version: d.ID, ARN: arn}, secret, err)
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
	added := database.SecretVersion{Version: token}
	err = call(ctx, func(ctx context.Context) error {
		out, err := v.client.PutSecretValue(ctx, in)
		if err == nil {
			added.ARN = aws.ToString(out.ARN)
		}
		return err
	})
	if isInvalidRequest(err) && v.isScheduled(ctx, d.Account, d.ID) {
		return database.SecretVersion{}, notFound("PutSecretValue", err)
	}
	return v.stored(ctx, "PutSecretValue", d, added, secret, err)
}

// Recreate creates d's secret with token as its first version. If the secret exists,
// perhaps scheduled for deletion, Recreate restores it and adds the version. It is
// idempotent. The error's kind is Throttled, Unavailable or Internal.
func (v *Vault) Recreate(ctx context.Context, d database.Database, p database.Passwords, token string) (database.SecretVersion, error) {
	secret, err := encode(d, p)
	if err != nil {
		return database.SecretVersion{}, internal(err)
	}
	arn, err := v.createSecret(ctx, d, secret, token)
	_, exists := errors.AsType[*types.ResourceExistsException](err)
	switch {
	case err == nil:
		return database.SecretVersion{Version: token, ARN: arn}, nil
	case !exists && !isInvalidRequest(err):
		return database.SecretVersion{}, callError("CreateSecret", err)
	}
	if err := v.Restore(ctx, d.Account, d.ID); err != nil {
		return database.SecretVersion{}, err
	}
	return v.AddVersion(ctx, d, p, token)
}

// createSecret creates d's secret with token as its first version, and returns its
// ARN.
func (v *Vault) createSecret(ctx context.Context, d database.Database, secret, token string) (arn string, err error) {
	in := &secretsmanager.CreateSecretInput{
		Name: v.name(d.Account, d.ID), ClientRequestToken: &token, SecretString: &secret,
		Tags: v.tags(d),
	}
	if v.config.KMSKeyID != "" {
		in.KmsKeyId = &v.config.KMSKeyID
	}
	err = call(ctx, func(ctx context.Context) error {
		out, err := v.client.CreateSecret(ctx, in)
		if err == nil {
			arn = aws.ToString(out.ARN)
		}
		return err
	})
	return arn, err
}

// Restore cancels the scheduled deletion of a secret. A secret that is not scheduled,
// or does not exist, is no error. The error's kind is Throttled, Unavailable or
// Internal.
func (v *Vault) Restore(ctx context.Context, account, id string) error {
	err := call(ctx, func(ctx context.Context) error {
		_, err := v.client.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: v.name(account, id)})
		return err
	})
	if err == nil || isNotFound(err) {
		return nil
	}
	return callError("RestoreSecret", err)
}

// stored returns the version that a write with the given error stored. Secrets
// Manager accepts the same write again; compatible services may answer that the
// version exists, which is a success if it holds the same text.
func (v *Vault) stored(ctx context.Context, operation string, d database.Database, written database.SecretVersion, secret string, err error) (database.SecretVersion, error) {
	if err == nil {
		return written, nil
	}
	if _, exists := errors.AsType[*types.ResourceExistsException](err); exists {
		found, arn, readErr := v.value(ctx, d.Account, d.ID, written.Version)
		switch {
		case readErr == nil && found == secret:
			written.ARN = arn
			return written, nil
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
	err := v.deleteSecret(ctx, &secretsmanager.DeleteSecretInput{
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
	err := v.deleteSecret(ctx, &secretsmanager.DeleteSecretInput{
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

func (v *Vault) deleteSecret(ctx context.Context, in *secretsmanager.DeleteSecretInput) error {
	return call(ctx, func(ctx context.Context) error {
		_, err := v.client.DeleteSecret(ctx, in)
		return err
	})
}

// isScheduled reports whether a secret is scheduled for deletion. The
// InvalidRequestException of a call does not tell that from other reasons, except
// by its text.
func (v *Vault) isScheduled(ctx context.Context, account, id string) bool {
	var scheduled bool
	err := call(ctx, func(ctx context.Context) error {
		out, err := v.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: v.name(account, id)})
		scheduled = err == nil && out.DeletedDate != nil
		return err
	})
	return err == nil && scheduled
}
