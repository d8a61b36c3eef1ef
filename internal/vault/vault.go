package vault

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/database"
)

// Client is what this package uses of the SDK's Secrets Manager client.
type Client interface {
	BatchGetSecretValue(ctx context.Context, in *secretsmanager.BatchGetSecretValueInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error)
	CreateSecret(ctx context.Context, in *secretsmanager.CreateSecretInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DeleteSecret(ctx context.Context, in *secretsmanager.DeleteSecretInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
	DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
}

// The tags of a secret, by which it is found again.
const (
	TagTable    = "headgate:table"
	TagAccount  = "headgate:account"
	TagDatabase = "headgate:database"
)

const (
	// budget is what a call may take where its context allows it.
	budget      = 6 * time.Second
	attemptTime = 3 * time.Second

	// recoveryDays is how long a deleted secret can be restored: the shortest
	// time that Secrets Manager offers, and what the API promises.
	recoveryDays = 7

	current = "AWSCURRENT"
)

// Config says where secrets go.
type Config struct {
	// Prefix is the first part of every secret's name.
	Prefix string
	// Table is the name of the catalog's table, by which the secrets of one
	// deployment are told from another's.
	Table string
	// KMSKeyID is the key that encrypts the secrets; the account's own for
	// Secrets Manager where it is empty.
	KMSKeyID string
	// Ahead makes a connection to Secrets Manager before it is needed and keeps it
	// at hand until ctx ends; nil for none.
	Ahead func(ctx context.Context)
}

// Vault is a database.Vault on Secrets Manager. It is safe for concurrent use.
type Vault struct {
	client Client
	config Config
}

var _ database.Vault = (*Vault)(nil)

// New makes a Vault.
func New(client Client, config Config) *Vault {
	return &Vault{client: client, config: config}
}

// name is the name of a database's secret.
func (v *Vault) name(account, id string) *string {
	return aws.String(v.config.Prefix + "/" + account + "/" + id)
}
