package vault

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/headgate/headgate/internal/database"
)

// The tags of a secret, by which a sweep finds it.
const (
	TagTable    = "headgate:table"
	TagAccount  = "headgate:account"
	TagDatabase = "headgate:database"
)

const (
	callTimeout    = 6 * time.Second
	attemptTimeout = 3 * time.Second

	// recoveryDays is how long a deleted secret can be restored: Secrets Manager's
	// minimum, and what the API promises.
	recoveryDays = 7

	labelCurrent = "AWSCURRENT"
)

// Config says where secrets are stored.
type Config struct {
	// Prefix is the first part of every secret's name.
	Prefix string
	// Table is the name of the catalog's table. It tells the secrets of one
	// deployment from those of another.
	Table string
	// KMSKeyID is the key that encrypts the secrets. If it is empty, Secrets
	// Manager uses the account's own.
	KMSKeyID string
	// Preconnect opens a connection to Secrets Manager before it is needed, and keeps
	// it until ctx ends. It may be nil.
	Preconnect func(ctx context.Context)
}

// Vault is a database.Vault on Secrets Manager. It is safe for concurrent use.
type Vault struct {
	client *secretsmanager.Client
	config Config
}

var _ database.Vault = (*Vault)(nil)

// Open returns a Vault. The SDK's own retries are off: see awsretry.
func Open(sdk aws.Config, config Config) *Vault {
	client := secretsmanager.NewFromConfig(sdk, func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
	return &Vault{client: client, config: config}
}

// References returns the reader of secrets that belong to others.
func (v *Vault) References() *References {
	return &References{client: v.client, prefix: v.config.Prefix}
}

// tagsOf returns the values of a secret's tags by their keys.
func tagsOf(list []types.Tag) map[string]string {
	tags := make(map[string]string, len(list))
	for _, tag := range list {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return tags
}

// name returns the name of a database's secret.
func (v *Vault) name(account, id string) *string {
	return aws.String(v.config.Prefix + "/" + account + "/" + id)
}
