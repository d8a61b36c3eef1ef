// Package sweeper configures the sweep of secrets without a database.
package sweeper

import (
	"log/slog"
	"time"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/databases"
	"github.com/headgate/headgate/internal/awsenv/targets"
	"github.com/headgate/headgate/internal/sweep"
)

const defaultAge = time.Hour

// Open returns the sweeper that env configures. SWEEP_AGE defaults to an hour.
// Errors name the variable that is missing or malformed.
func Open(env *awsenv.Env, log *slog.Logger) (*sweep.Sweeper, error) {
	catalog, vault, err := databases.Stores(env)
	if err != nil {
		return nil, err
	}
	requests, err := targets.Open(env, log)
	if err != nil {
		return nil, err
	}
	age, err := env.Duration("SWEEP_AGE", defaultAge, sweep.MinAge)
	if err != nil {
		return nil, err
	}
	return &sweep.Sweeper{
		Catalog: catalog, Vault: vault, Requests: requests, Now: time.Now, Age: age, Log: log,
	}, nil
}
