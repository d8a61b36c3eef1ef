// Package keys configures the service of API keys on DynamoDB.
package keys

import (
	"time"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/catalog"
)

// Open returns the service that env configures. Errors name the variable that is
// missing or malformed.
func Open(env *awsenv.Env) (*apikey.Service, error) {
	config, table, err := env.DynamoDB()
	if err != nil {
		return nil, err
	}
	return &apikey.Service{Store: catalog.Open(config, table).Keys(), Now: time.Now}, nil
}
