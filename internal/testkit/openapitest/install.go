package openapitest

import (
	"context"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// SpecValidator is the path of an openapi-spec-validator that runs, installed
// when it is missing.
func SpecValidator(ctx context.Context) (string, error) {
	return localrun.PythonProgram(ctx, "openapi-spec-validator", "openapi-spec-validator==0.9.0")
}
