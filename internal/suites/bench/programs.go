package bench

import (
	"context"
	"fmt"
	"os"

	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

// pinnedModule has the last clients of AWS that built no schemas at the start:
// dynamodb v1.68.0 and secretsmanager v1.49.0. The floor built with it shows what the
// current ones cost, and whether a later release mends that.
const pinnedModule = programs + "pinned.mod"

func buildPinned(ctx context.Context, m *deployment.Machine) error {
	return runtimeapi.Build(ctx, m.Path(pinned), "-modfile", pinnedModule, "./"+programs+floor)
}

// writeAlike writes the files of programs in the same way: how a file was written, and
// where the kernel keeps it, changes the start of the program by up to 15 %.
func writeAlike(m *deployment.Machine, programs []string) error {
	for _, program := range programs {
		if err := rewrite(m.Path(program)); err != nil {
			return fmt.Errorf("copy program: %w", err)
		}
	}
	return nil
}

// rewrite replaces a program by a copy of it.
func rewrite(path string) error {
	const mode = 0o755
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".copy", program, mode); err != nil {
		return err
	}
	return os.Rename(path+".copy", path)
}
