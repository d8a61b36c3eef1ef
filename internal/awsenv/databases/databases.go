// Package databases configures the service on DynamoDB and Secrets Manager.
package databases

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/vault"
)

// Open returns the service that env configures, without a Prober: package targets
// adds one, for the functions that dial targets. Errors name the variable that is
// missing or malformed.
func Open(env *awsenv.Env, log *slog.Logger) (*database.Service, error) {
	databases, passwords, err := Stores(env)
	if err != nil {
		return nil, err
	}
	return &database.Service{
		Catalog:    databases,
		Vault:      passwords,
		References: passwords.References(),
		Now:        time.Now,
		Log:        log,
	}, nil
}

// Stores returns the stores that env configures.
func Stores(env *awsenv.Env) (*catalog.Catalog, *vault.Vault, error) {
	dynamoDB, table, err := env.DynamoDB()
	if err != nil {
		return nil, nil, err
	}
	secretsManager, secrets, err := env.SecretsManager()
	if err != nil {
		return nil, nil, err
	}
	preconnect := func(ctx context.Context) {
		if endpoint, err := endpoint(ctx, secretsManager); err == nil {
			env.Preconnect(ctx, endpoint)
		}
	}
	config := vault.Config{Prefix: secrets.Prefix, Table: table, KMSKeyID: secrets.KMSKeyID, Preconnect: preconnect}
	return catalog.Open(dynamoDB, table), vault.Open(secretsManager, config), nil
}

// endpoint returns the URL to which the client of Secrets Manager sends requests.
func endpoint(ctx context.Context, config aws.Config) (*url.URL, error) {
	found, err := secretsmanager.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx,
		secretsmanager.EndpointParameters{Region: &config.Region, Endpoint: config.BaseEndpoint})
	return &found.URI, err
}
