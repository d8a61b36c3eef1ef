// Package sweeper is the sweep of Secrets Manager for what DynamoDB does not know.
package sweeper

import (
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/sweep"
	"github.com/headgate/headgate/internal/vault"
)

const defaultAge = time.Hour

// Open makes the sweeper that env describes, of secrets as old as SWEEP_AGE says,
// an hour where it is not set. Errors name the variable that is missing or
// malformed.
func Open(env *awsenv.Env, log *slog.Logger) (*sweep.Sweeper, error) {
	dynamoDB, table, err := env.DynamoDB()
	if err != nil {
		return nil, err
	}
	secretsManager, secrets, err := env.SecretsManager()
	if err != nil {
		return nil, err
	}
	age, err := env.Duration("SWEEP_AGE", defaultAge, sweep.LeastAge)
	if err != nil {
		return nil, err
	}
	return &sweep.Sweeper{
		Catalog: catalog.Open(dynamoDB, table),
		Vault:   vault.NewSweepable(secretsmanager.NewFromConfig(secretsManager), vault.Config{Prefix: secrets.Prefix, Table: table}),
		Now:     time.Now, Age: age, Log: log,
	}, nil
}
