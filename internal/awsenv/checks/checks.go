// Package checks configures the checks of registered databases.
package checks

import (
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/targets"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/health"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/requestlog"
)

// Open returns the checker that env configures. HEALTH_RETAINED_MB and
// HEALTH_SAFE_PERCENT are the limits of retained WAL, HEALTH_DATABASE_METRICS turns on
// the metrics of each database. Errors name the variable that is missing or malformed.
func Open(env *awsenv.Env, log *slog.Logger) (*health.Checker, error) {
	service, err := targets.Open(env, log)
	if err != nil {
		return nil, err
	}
	policy, err := env.Egress()
	if err != nil {
		return nil, err
	}
	service.HealthProber, service.HealthRefresh = probe.New(policy), database.DefaultHealthRefresh
	if service.HealthLimits, err = env.HealthLimits(); err != nil {
		return nil, err
	}
	perDatabase, err := env.Flag("HEALTH_DATABASE_METRICS")
	return &health.Checker{
		Service: service, Log: log, Namespace: requestlog.Namespace(lambdacontext.LogGroupName), PerDatabase: perDatabase,
	}, err
}
