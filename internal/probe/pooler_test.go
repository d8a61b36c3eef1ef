package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const (
	poolerDeadline = 10 * time.Minute
	// poolerParameters are the start-up parameters of a probe that PgBouncer rejects.
	poolerParameters = "replication,statement_timeout,client_min_messages,default_transaction_read_only"
)

// pooled returns a setup of a source behind a PgBouncer that ignores these start-up
// parameters.
func pooled(ignored string) func(t *testing.T) *source {
	return func(t *testing.T) *source {
		s := newSource(t, shared)
		s.target.Endpoint.Port = startPgBouncer(t, s, ignored)
		s.target.Endpoint.SSL = false
		return s
	}
}

func bypassPooler(s *source) { s.target.Endpoint.Port = s.server.Port() }

// startPgBouncer starts a pooler in front of the source's server and returns its port.
func startPgBouncer(t *testing.T, s *source, ignored string) int {
	t.Helper()
	program, err := pgBouncer()
	if err != nil {
		t.Fatal(err)
	}
	directory, err := os.MkdirTemp("", "headgate-pooler-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	port, err := localrun.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	double := func(s string) string { return strings.ReplaceAll(s, `"`, `""`) }
	users := filepath.Join(directory, "users")
	config := filepath.Join(directory, "config")
	write(t, users, fmt.Sprintf("\"%s\" \"%s\"\n", double(s.target.Endpoint.Username), double(password)))
	write(t, config, fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
ignore_startup_parameters = %s
`, s.server.Port(), port, users, ignored))
	cmd := exec.Command(program.path, config)
	cmd.Dir = directory
	if program.libraries != "" {
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+program.libraries)
	}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = unprivileged(t, directory, users, config)
	}
	var log strings.Builder
	cmd.Stderr = &log
	process, err := localrun.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Stop(syscall.SIGTERM, time.Second) })
	for {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = conn.Close()
			return port
		}
		select {
		case <-process.Done():
			t.Fatalf("PgBouncer: %v: %s", process.Err(), log.String())
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// unprivileged returns the credentials of a program that refuses to run as root, and
// gives it the files.
func unprivileged(t *testing.T, files ...string) *syscall.SysProcAttr {
	t.Helper()
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.Atoi(nobody.Uid)
	gid, err2 := strconv.Atoi(nobody.Gid)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.Chown(file, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// bouncer is an installation of PgBouncer.
type bouncer struct{ path, libraries string }

// pgBouncer finds PgBouncer or gets it from the package manager: it installs it as
// root, and otherwise unpacks it into the repository's cache.
var pgBouncer = sync.OnceValues(func() (bouncer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), poolerDeadline)
	defer cancel()
	if b, err := findPgBouncer(); err == nil {
		return b, nil
	}
	if os.Geteuid() == 0 {
		if err := localrun.AptInstall(ctx, "pgbouncer"); err != nil {
			return bouncer{}, err
		}
		return findPgBouncer()
	}
	return unpackPgBouncer(ctx)
})

func findPgBouncer() (bouncer, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return bouncer{path: path}, nil
		}
	}
	return bouncer{}, errors.New("find PgBouncer: not installed")
}

// unpackPgBouncer unpacks the package and its missing dependencies, which needs no
// privileges.
func unpackPgBouncer(ctx context.Context) (bouncer, error) {
	cache, err := localrun.Cache("pgbouncer")
	if err != nil {
		return bouncer{}, err
	}
	unlock, err := localrun.Lock(ctx, cache+".lock")
	if err != nil {
		return bouncer{}, err
	}
	defer unlock()
	b := bouncer{path: filepath.Join(cache, "usr/sbin/pgbouncer")}
	if libraries, err := filepath.Glob(filepath.Join(cache, "usr/lib/*-linux-gnu*")); err == nil {
		b.libraries = strings.Join(libraries, ":")
	}
	if _, err := os.Stat(b.path); err == nil {
		return b, nil
	}
	script := `set -e
for p in $(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances pgbouncer |
	sed -n 's/^ *|\{0,1\}Depends: \(lib[^ <]*\)$/\1/p'); do
	dpkg -s "$p" >/dev/null 2>&1 || apt-get download "$p"
done
apt-get download pgbouncer
for p in lib*.deb pgbouncer*.deb; do test ! -e "$p" || dpkg -x "$p" .; done
rm -f ./*.deb`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = cache
	if _, err := localrun.Run(ctx, cmd); err != nil {
		return bouncer{}, fmt.Errorf("get PgBouncer: %w", err)
	}
	libraries, err := filepath.Glob(filepath.Join(cache, "usr/lib/*-linux-gnu*"))
	b.libraries = strings.Join(libraries, ":")
	return b, err
}
