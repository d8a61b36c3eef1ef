package localrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	aptTimeout = 15 * time.Minute
	// aptLockTimeout is how many seconds apt-get waits for another one.
	aptLockTimeout = "300"
)

// AptInstall installs Debian packages. It fails if this process is not root or
// the machine has no apt-get.
func AptInstall(ctx context.Context, packages ...string) error {
	if err := aptInstall(ctx, packages); err != nil {
		return fmt.Errorf("install %s: %w", strings.Join(packages, " "), err)
	}
	return nil
}

func aptInstall(ctx context.Context, packages []string) error {
	if os.Geteuid() != 0 {
		return errors.New("only root can; install it by hand")
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("no apt-get here, install it by hand: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, aptTimeout)
	defer cancel()
	unlock, err := Lock(ctx, filepath.Join(os.TempDir(), "headgate-apt.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if err := apt(ctx, "update"); err != nil {
		return err
	}
	return apt(ctx, append([]string{"install", "-y", "--no-install-recommends"}, packages...)...)
}

func apt(ctx context.Context, arguments ...string) error {
	cmd := exec.Command("apt-get", append([]string{"-o", "DPkg::Lock::Timeout=" + aptLockTimeout}, arguments...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	_, err := Run(ctx, cmd)
	return err
}
