package awsenv

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/headgate/headgate/internal/sweep"
	"github.com/headgate/headgate/internal/vault"
)

const defaultSweepAge = time.Hour

// Sweeper is the sweep of Secrets Manager for what DynamoDB does not know.
func (e *Env) Sweeper(log *slog.Logger) (*sweep.Sweeper, error) {
	st, err := e.stores()
	if err != nil {
		return nil, err
	}
	age, err := e.sweepAge()
	if err != nil {
		return nil, err
	}
	return &sweep.Sweeper{
		Catalog: st.catalog,
		Vault:   vault.NewSweepable(st.secrets, st.config),
		Now:     time.Now, Age: age, Log: log,
	}, nil
}

// sweepAge is how old a secret must be to be swept.
func (e *Env) sweepAge() (time.Duration, error) {
	text := e.lookup("SWEEP_AGE")
	if text == "" {
		return defaultSweepAge, nil
	}
	age, err := time.ParseDuration(text)
	if err != nil || age < sweep.LeastAge {
		return 0, fmt.Errorf("SWEEP_AGE is malformed: it must be a duration of at least %s, such as 1h", sweep.LeastAge)
	}
	return age, nil
}
