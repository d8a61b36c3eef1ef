// Package deployment runs headgate's built functions against Postgres and moto,
// for the suites of the whole system.
package deployment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// Machine has the programs and servers that deployments share.
type Machine struct {
	Postgres *pgserver.Server
	AWS      *mototest.Server
	binaries string
}

// Open builds the functions and additional packages, as runtimeapi.BuildFunctions
// does, and starts the servers. A Machine needs a Close.
func Open(ctx context.Context, options pgserver.Options, additional ...string) (*Machine, error) {
	m := &Machine{}
	if err := m.open(ctx, options, additional); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Machine) open(ctx context.Context, options pgserver.Options, additional []string) (err error) {
	if m.binaries, err = os.MkdirTemp("", "headgate-functions"); err != nil {
		return fmt.Errorf("create directory for the functions: %w", err)
	}
	if err := runtimeapi.BuildFunctions(ctx, m.binaries, additional...); err != nil {
		return err
	}
	if options.Installation, err = pgtest.Installation(ctx); err != nil {
		return err
	}
	if m.Postgres, err = pgserver.Start(ctx, options); err != nil {
		return err
	}
	m.AWS, err = mototest.Open(ctx)
	return err
}

// Close stops the servers and removes the programs.
func (m *Machine) Close() error {
	if m.AWS != nil {
		m.AWS.Stop()
	}
	if m.Postgres != nil {
		m.Postgres.Stop()
	}
	return os.RemoveAll(m.binaries)
}

// Main is for a TestMain. It opens a Machine, passes it to set, runs the tests,
// closes the Machine and returns the exit status.
func Main(tests *testing.M, options pgserver.Options, set func(*Machine)) int {
	m, err := Open(context.Background(), options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	set(m)
	status := tests.Run()
	if err := m.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// Payload returns the payload that registers a source of the Machine's Postgres.
func (m *Machine) Payload(name string, source pgserver.Source) map[string]any {
	return map[string]any{
		"name": name, "hostname": m.Postgres.Host(), "port": m.Postgres.Port(),
		"database": source.Database, "username": source.Username, "password": source.Password,
		"replication_slots": []any{map[string]any{"publication_name": source.Publication, "slot_name": source.Slot}},
	}
}
