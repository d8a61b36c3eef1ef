// Package targets configures the service for the functions that dial targets.
package targets

import (
	"log/slog"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/databases"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/rdstoken"
)

// Open returns the service that env configures, with a Prober. Errors name the
// variable that is missing or malformed.
func Open(env *awsenv.Env, log *slog.Logger) (*database.Service, error) {
	service, err := databases.Open(env, log)
	if err != nil {
		return nil, err
	}
	policy, err := env.Egress()
	if err != nil {
		return nil, err
	}
	accounts, err := env.RDSIAMAccounts(database.IsAccount)
	if err != nil {
		return nil, err
	}
	prober := probe.New(policy)
	service.Prober, service.Maker = prober, prober
	service.IAM = database.IAM{Tokens: rdstoken.Signer{Credentials: env.Credentials()}, Accounts: accounts}
	return service, nil
}
