package vault

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/sweep"
)

const (
	// maxPageSize is ListSecrets's limit.
	maxPageSize = 100
	// pageTimeout is long because Secrets Manager may go through many other
	// secrets for one page, and a sweep has minutes.
	pageTimeout        = 30 * time.Second
	pageAttemptTimeout = 10 * time.Second
)

var _ sweep.Vault = (*Vault)(nil)

// Secrets returns the secrets of this deployment's databases, without those that
// are scheduled for deletion. A secret counts only if its tags match its name. The
// error's kind is Throttled, Unavailable or Internal.
func (v *Vault) Secrets(ctx context.Context) ([]sweep.Secret, error) {
	var all []sweep.Secret
	in := v.listInput()
	for {
		page, err := awsretry.Call(ctx, patient(pageTimeout, pageAttemptTimeout), v.client.ListSecrets, in)
		if err != nil {
			return nil, callError("ListSecrets", err)
		}
		for _, entry := range page.SecretList {
			if secret, ok := v.ownSecret(entry); ok {
				all = append(all, secret)
			}
		}
		if aws.ToString(page.NextToken) == "" {
			return all, nil
		}
		in.NextToken = page.NextToken
	}
}

// listInput filters by the table's tag. The filters match prefixes, and may match
// different tags of one secret, so ownSecret compares again.
func (v *Vault) listInput() *secretsmanager.ListSecretsInput {
	return &secretsmanager.ListSecretsInput{
		MaxResults: aws.Int32(maxPageSize),
		Filters: []types.Filter{
			{Key: types.FilterNameStringTypeTagKey, Values: []string{TagTable}},
			{Key: types.FilterNameStringTypeTagValue, Values: []string{v.config.Table}},
		},
	}
}

// ownSecret returns the entry as a secret of this deployment, and whether it
// certainly is one.
func (v *Vault) ownSecret(entry types.SecretListEntry) (sweep.Secret, bool) {
	tags := tagsOf(entry.Tags)
	account, id := tags[TagAccount], tags[TagDatabase]
	switch {
	case entry.DeletedDate != nil, entry.CreatedDate == nil, aws.ToString(entry.OwningService) != "":
		return sweep.Secret{}, false
	case tags[TagTable] != v.config.Table, !database.IsAccount(account), !isID(id), aws.ToString(entry.Name) != *v.name(account, id):
		return sweep.Secret{}, false
	}
	changed := *entry.CreatedDate
	if entry.LastChangedDate != nil && entry.LastChangedDate.After(changed) {
		changed = *entry.LastChangedDate
	}
	return sweep.Secret{Account: account, Database: id, ChangedAt: changed}, true
}

// isID reports whether id is a UUID in the only form that IDs are made in, which
// is stricter than uuid.Validate.
func isID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}
