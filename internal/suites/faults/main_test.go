// Package faults_test injects faults into every step of a create, an update, a
// delete and an event: into the requests to AWS and into the connection to the
// target. After a retry and a sweep there must be one database with its password
// and one secret, or neither, and every name must be usable.
package faults_test

import (
	"os"
	"sync"
	"testing"

	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// machine has the servers and the functions that all tests share.
var (
	machine      *deployment.Machine
	createSource = sync.OnceValue(newSource)
)

func TestMain(m *testing.M) {
	os.Exit(deployment.Main(m, pgserver.Options{}, func(m *deployment.Machine) { machine = m }))
}
