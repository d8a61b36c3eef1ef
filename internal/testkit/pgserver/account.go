package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// account is the user that the server's programs run as. Postgres refuses to
// run as root, so root needs another one.
type account struct {
	uid, gid int
	// other is true where it is not the user of this process.
	other bool
}

func serverAccount() (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{uid: uid, gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(found.Uid)
		gid, gidErr := strconv.Atoi(found.Gid)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return account{uid: uid, gid: gid, other: true}, nil
		}
	}
	return account{}, errors.New("find a user to run Postgres as: it refuses to run as root, and there is neither a postgres nor a nobody")
}

// command prepares a program of the server to run as the account. The
// environment is a fixed one, so that no PG* variable of the caller reaches it.
func (a account) command(directory, program string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(program, arguments...)
	cmd.Dir = directory
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	if a.other {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)},
		}
	}
	return cmd
}

func (a account) run(ctx context.Context, directory, program string, arguments ...string) (string, error) {
	return localrun.Run(ctx, a.command(directory, program, arguments...))
}

// own hands a path over to the account.
func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	if err := os.Lchown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("hand over to the server's user: %w", err)
	}
	return nil
}
