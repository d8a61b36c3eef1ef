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

// account is the user that the server's programs run as. Postgres refuses to run
// as root, so a process of root needs another user.
type account struct {
	uid, gid int
	// other is true if it is not the user of this process.
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
	return account{}, errors.New("find a user to run Postgres as: it refuses to run as root, and there is no user postgres or nobody")
}

// command prepares a program of the server to run as the account. It has a fixed
// environment, without the caller's PG* variables.
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

// own makes the account the owner of a path.
func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	if err := os.Lchown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("make the server's user the owner: %w", err)
	}
	return nil
}
