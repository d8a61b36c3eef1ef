// Package faults_test breaks the stores under the service and the way to the
// target, at every step of a create, an update, a delete and an event, and looks at what is left: after a
// retry and a sweep there is one database with its password and one secret, or
// none of either, and the name can be used.
package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// What the tests share: one Postgres, one moto, and the built functions.
var (
	postgres *pgserver.Server
	moto     *mototest.Server
	binaries string
	ready    = sync.OnceValue(makeSource)
)

func TestMain(m *testing.M) {
	status := 1
	if err := run(context.Background(), func() { status = pgtest.Main(m, pgserver.Options{}, func(s *pgserver.Server) { postgres = s }) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

func run(ctx context.Context, tests func()) (err error) {
	if binaries, err = os.MkdirTemp("", "headgate-faults"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(binaries)) }()
	if err := runtimeapi.BuildFunctions(ctx, binaries); err != nil {
		return err
	}
	if moto, err = mototest.Open(ctx); err != nil {
		return err
	}
	defer moto.Stop()
	tests()
	return nil
}
