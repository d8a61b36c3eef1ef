package openapitest

import (
	"context"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// SpecValidator returns the path of openapi-spec-validator, which it installs if
// necessary.
func SpecValidator(ctx context.Context) (string, error) {
	return localrun.PythonProgram(ctx, "openapi-spec-validator", "openapi-spec-validator==0.9.0")
}
