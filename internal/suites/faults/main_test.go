// Package faults_test breaks the stores under the service and the way to the
// target, at every step of a create, an update, a delete and an event, and looks at what is left: after a
// retry and a sweep there is one database with its password and one secret, or
// none of either, and the name can be used.
package faults_test

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// What the tests share: one Postgres, one moto, and the built functions.
var (
	postgres *pgserver.Server
	moto     *mototest.Server
	binaries string
	ready    = sync.OnceValue(makeSource)
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "headgate-faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", dir+"/",
		"../../../functions/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the functions: %v\n%s", err, out)
		return 1
	}
	onPostgres := func() int {
		return pgtest.Main(m, pgserver.Options{}, func(s *pgserver.Server) { postgres = s })
	}
	return mototest.With(onPostgres, func(s *mototest.Server) { moto = s })
}
