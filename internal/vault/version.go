package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// ownLabel is the staging label that keeps a version from being removed as
// unused while it is not the current one. It is the version's alone, so that two
// updates at once do not take it from each other.
func ownLabel(version string) string { return "headgate-" + version }

// Read is the passwords in that version of a secret. A version that is not found
// is asked for again while there is time, at most for six seconds; one of a secret
// that is scheduled for deletion is not. The error's kind is NotFound, Throttled,
// Unavailable or Internal.
func (v *Vault) Read(ctx context.Context, account, id, version string) (database.Passwords, error) {
	if version == "" {
		return database.Passwords{}, internal(errNoVersionNamed)
	}
	var secret string
	err := patient(ctx, func(ctx context.Context) error {
		out, err := v.client.GetSecretValue(ctx, v.valueInput(account, id, version), once)
		if err == nil {
			secret = aws.ToString(out.SecretString)
		}
		return err
	})
	if isInvalidRequest(err) && v.isScheduled(ctx, account, id) {
		return database.Passwords{}, apierror.New(apierror.NotFound, "the passwords were not found", quieten("GetSecretValue", err))
	}
	if err != nil {
		return database.Passwords{}, fail("GetSecretValue", err)
	}
	p, err := decode(secret)
	if err != nil {
		return database.Passwords{}, internal(err)
	}
	return p, nil
}

// Promote makes that version the current one and takes its own label away. A
// version that is the current one counts as done. One that has lost all of its
// labels, since two others were promoted late and after it, is promoted again.
// The error's kind is NotFound where there is no such version, Throttled,
// Unavailable or Internal.
func (v *Vault) Promote(ctx context.Context, account, id, version string) error {
	err := patient(ctx, func(ctx context.Context) error {
		labels, err := v.labels(ctx, account, id)
		if err != nil {
			return err
		}
		if err := v.exists(ctx, account, id, version, labels); err != nil {
			return err
		}
		if holder := labels.holder(current); holder != version {
			if err := v.move(ctx, account, id, current, holder, version); err != nil {
				return err
			}
		}
		return v.dropLabel(ctx, account, id, version, labels)
	})
	if err != nil {
		return fail("UpdateSecretVersionStage", err)
	}
	return nil
}

// DropVersion lets go of a version that AddVersion kept and that is not wanted
// after all. One that is not there counts as done. The error's kind is
// Throttled, Unavailable or Internal.
func (v *Vault) DropVersion(ctx context.Context, account, id, version string) error {
	err := do(ctx, func(ctx context.Context) error {
		labels, err := v.labels(ctx, account, id)
		if err != nil {
			return err
		}
		return v.dropLabel(ctx, account, id, version, labels)
	})
	if err == nil || isNotFound(err) {
		return nil
	}
	return fail("UpdateSecretVersionStage", err)
}

// versionLabels are the labels of a secret's versions.
type versionLabels map[string][]string

// holder is the version with that label, or empty.
func (l versionLabels) holder(label string) string {
	for version, labels := range l {
		if slices.Contains(labels, label) {
			return version
		}
	}
	return ""
}

// labels are those of the secret.
func (v *Vault) labels(ctx context.Context, account, id string) (versionLabels, error) {
	out, err := v.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: v.name(account, id)}, once)
	if err != nil {
		return nil, err
	}
	if out.DeletedDate != nil {
		return nil, errScheduled
	}
	return out.VersionIdsToStages, nil
}

// exists is nil where the secret has that version. A description lists those with
// labels alone, so another is asked for.
func (v *Vault) exists(ctx context.Context, account, id, version string, labels versionLabels) error {
	if _, ok := labels[version]; ok {
		return nil
	}
	_, err := v.client.GetSecretValue(ctx, v.valueInput(account, id, version), once)
	return err
}

func (v *Vault) dropLabel(ctx context.Context, account, id, version string, labels versionLabels) error {
	if label := ownLabel(version); slices.Contains(labels[version], label) {
		return v.move(ctx, account, id, label, version, "")
	}
	return nil
}

// move takes a label from one version and gives it to another; empty for none.
func (v *Vault) move(ctx context.Context, account, id, label, from, to string) error {
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: v.name(account, id), VersionStage: &label}
	if from != "" {
		in.RemoveFromVersionId = &from
	}
	if to != "" {
		in.MoveToVersionId = &to
	}
	_, err := v.client.UpdateSecretVersionStage(ctx, in, once)
	if _, ok := errors.AsType[*types.InvalidParameterException](err); ok {
		return fmt.Errorf("%w: %w", errMoved, err)
	}
	return err
}
