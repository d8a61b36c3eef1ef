package mototest

import (
	"context"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// find is the path of a moto_server that runs, installed when it is missing.
func find(ctx context.Context) (string, error) {
	return localrun.PythonProgram(ctx, "moto_server", "moto[server]==5.2.1")
}
