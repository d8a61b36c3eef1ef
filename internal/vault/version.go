package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

// versionLabel returns the staging label of a version that is not current yet.
// Each version has its own, so that concurrent updates do not take it from each
// other.
func versionLabel(version string) string { return "headgate-" + version }

// Read returns the passwords in a version of a secret. It retries for up to 6
// seconds while the version is not found, unless the secret is scheduled for
// deletion. The error's kind is NotFound, Throttled, Unavailable or Internal.
func (v *Vault) Read(ctx context.Context, account, id, version string) (database.Passwords, error) {
	if version == "" {
		// Secrets Manager would return the current version.
		return database.Passwords{}, internal(errNoVersion)
	}
	var out *secretsmanager.GetSecretValueOutput
	err := callUntilFound(ctx, func(ctx context.Context) (err error) {
		out, err = v.client.GetSecretValue(ctx, v.valueInput(account, id, version))
		return err
	})
	if isInvalidRequest(err) && v.isScheduled(ctx, account, id) {
		return database.Passwords{}, notFound("GetSecretValue", err)
	}
	if err != nil {
		return database.Passwords{}, callError("GetSecretValue", err)
	}
	p, err := decode(aws.ToString(out.SecretString))
	if err != nil {
		return database.Passwords{}, internal(err)
	}
	return p, nil
}

func (v *Vault) valueInput(account, id, version string) *secretsmanager.GetSecretValueInput {
	return &secretsmanager.GetSecretValueInput{SecretId: v.name(account, id), VersionId: &version}
}

// Promote makes a version the current one and removes its own label. It does so
// even if the version has no label left, which happens when two later versions
// were promoted before it. A version that is current already is no error. The
// error's kind is NotFound if there is no such version, Throttled, Unavailable or
// Internal.
func (v *Vault) Promote(ctx context.Context, account, id, version string) error {
	err := callUntilFound(ctx, func(ctx context.Context) error {
		labels, err := v.labels(ctx, account, id)
		if err != nil {
			return err
		}
		if err := v.checkExists(ctx, account, id, version, labels); err != nil {
			return err
		}
		if holder := labels.holder(labelCurrent); holder != version {
			if err := v.moveLabel(ctx, account, id, labelCurrent, holder, version); err != nil {
				return err
			}
		}
		return v.removeVersionLabel(ctx, account, id, version, labels)
	})
	if err != nil {
		return callError("UpdateSecretVersionStage", err)
	}
	return nil
}

// DropVersion removes a version that was added and not promoted. A version that
// does not exist is no error. The error's kind is Throttled, Unavailable or
// Internal.
func (v *Vault) DropVersion(ctx context.Context, account, id, version string) error {
	err := awsretry.Do(ctx, usual(), func(ctx context.Context) error {
		labels, err := v.labels(ctx, account, id)
		if err != nil {
			return err
		}
		return v.removeVersionLabel(ctx, account, id, version, labels)
	})
	if err == nil || isNotFound(err) {
		return nil
	}
	return callError("UpdateSecretVersionStage", err)
}

// versionLabels maps the versions of a secret to their staging labels.
type versionLabels map[string][]string

// holder returns the version with the label, empty if there is none.
func (l versionLabels) holder(label string) string {
	for version, labels := range l {
		if slices.Contains(labels, label) {
			return version
		}
	}
	return ""
}

func (v *Vault) labels(ctx context.Context, account, id string) (versionLabels, error) {
	out, err := v.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: v.name(account, id)})
	if err != nil {
		return nil, err
	}
	if out.DeletedDate != nil {
		return nil, errScheduled
	}
	return out.VersionIdsToStages, nil
}

// checkExists returns an error if the secret does not have the version.
// DescribeSecret lists only versions with labels, so others are read.
func (v *Vault) checkExists(ctx context.Context, account, id, version string, labels versionLabels) error {
	if _, ok := labels[version]; ok {
		return nil
	}
	_, err := v.client.GetSecretValue(ctx, v.valueInput(account, id, version))
	return err
}

func (v *Vault) removeVersionLabel(ctx context.Context, account, id, version string, labels versionLabels) error {
	if label := versionLabel(version); slices.Contains(labels[version], label) {
		return v.moveLabel(ctx, account, id, label, version, "")
	}
	return nil
}

// moveLabel moves a label between versions. Either of them may be empty for none.
func (v *Vault) moveLabel(ctx context.Context, account, id, label, from, to string) error {
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: v.name(account, id), VersionStage: &label}
	if from != "" {
		in.RemoveFromVersionId = &from
	}
	if to != "" {
		in.MoveToVersionId = &to
	}
	_, err := v.client.UpdateSecretVersionStage(ctx, in)
	if _, ok := errors.AsType[*types.InvalidParameterException](err); ok {
		return fmt.Errorf("%w: %w", errLabelMoved, err)
	}
	return err
}
