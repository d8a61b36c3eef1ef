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
	// pageSize is the most secrets that ListSecrets gives at once.
	pageSize = 100
	// pageTime is what a page may take: a sweep has minutes, and Secrets Manager
	// may have to look at many other secrets for it.
	pageTime = 30 * time.Second
)

// ListClient is what Sweepable uses of the SDK's Secrets Manager client.
type ListClient interface {
	Client
	ListSecrets(ctx context.Context, in *secretsmanager.ListSecretsInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error)
}

// Sweepable is a vault whose secrets can be listed. It is safe for concurrent
// use.
type Sweepable struct {
	*Vault
	client ListClient
}

var _ sweep.Vault = (*Sweepable)(nil)

// NewSweepable makes a Sweepable.
func NewSweepable(client ListClient, config Config) *Sweepable {
	return &Sweepable{Vault: New(client, config), client: client}
}

// Secrets are the secrets that were made for databases of this vault's table,
// under its prefix, without those that are scheduled for deletion. One whose tags
// are not those that its name asks for is not among them. The error's kind is
// Throttled, Unavailable or Internal.
func (v *Sweepable) Secrets(ctx context.Context) ([]sweep.Secret, error) {
	var all []sweep.Secret
	in := v.listInput()
	for {
		page, err := v.page(ctx, in)
		if err != nil {
			return nil, fail("ListSecrets", err)
		}
		for _, entry := range page.SecretList {
			if secret, ours := v.ours(entry); ours {
				all = append(all, secret)
			}
		}
		if aws.ToString(page.NextToken) == "" {
			return all, nil
		}
		in.NextToken = page.NextToken
	}
}

// listInput asks for this table's secrets. Both filters take what begins with
// their value, and they need not match the same tag: what comes is looked at
// again.
func (v *Sweepable) listInput() *secretsmanager.ListSecretsInput {
	return &secretsmanager.ListSecretsInput{
		MaxResults: aws.Int32(pageSize),
		Filters: []types.Filter{
			{Key: types.FilterNameStringTypeTagKey, Values: []string{TagTable}},
			{Key: types.FilterNameStringTypeTagValue, Values: []string{v.config.Table}},
		},
	}
}

func (v *Sweepable) page(ctx context.Context, in *secretsmanager.ListSecretsInput) (*secretsmanager.ListSecretsOutput, error) {
	var page *secretsmanager.ListSecretsOutput
	policy := awsretry.Policy{Timeout: pageTime, AttemptTimeout: pageTime / 3, RetryAmbiguous: true, RetryThrottled: true, Classify: readAnswer}
	err := awsretry.Do(ctx, policy, func(ctx context.Context) (err error) {
		page, err = v.client.ListSecrets(ctx, in, once)
		return err
	})
	return page, err
}

// ours is the entry as a secret of this vault's, if it is one beyond doubt.
func (v *Sweepable) ours(entry types.SecretListEntry) (sweep.Secret, bool) {
	tags := make(map[string]string, len(entry.Tags))
	for _, tag := range entry.Tags {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	account, id := tags[TagAccount], tags[TagDatabase]
	switch {
	case entry.DeletedDate != nil, entry.CreatedDate == nil, aws.ToString(entry.OwningService) != "":
		return sweep.Secret{}, false
	case tags[TagTable] != v.config.Table, !database.IsAccount(account), !isID(id), aws.ToString(entry.Name) != *v.name(account, id):
		return sweep.Secret{}, false
	}
	return sweep.Secret{Account: account, Database: id, CreatedAt: *entry.CreatedDate}, true
}

// isID says whether id is a database's: a UUID in the form that is given out.
func isID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}
