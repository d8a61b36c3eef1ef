// Package pgbouncer runs PgBouncer in front of the servers of tests.
package pgbouncer

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
	"syscall"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

// stopTimeout is how long a PgBouncer may take to end by itself.
const stopTimeout = time.Second

// Options configure a PgBouncer.
type Options struct {
	// ServerPort is the port of the server on 127.0.0.1.
	ServerPort int
	// Username and Password are those of the one role that it lets in.
	Username, Password string
	// Certificate and Key turn TLS on. Both are PEM.
	Certificate, Key []byte
	// IgnoredParameters are the start-up parameters that it drops and does not reject.
	IgnoredParameters string
}

// PgBouncer is a running process, which pools transactions.
type PgBouncer struct {
	port      int
	directory string
	process   *localrun.Process
}

// Start starts a PgBouncer, and installs it if the machine has none. Stop it after use.
func Start(ctx context.Context, o Options) (*PgBouncer, error) {
	program, err := install()
	if err != nil {
		return nil, err
	}
	directory, err := os.MkdirTemp("", "headgate-pgbouncer-")
	if err != nil {
		return nil, fmt.Errorf("make PgBouncer's directory: %w", err)
	}
	p := &PgBouncer{directory: directory}
	if err := p.start(ctx, program, o); err != nil {
		p.Stop()
		return nil, fmt.Errorf("start PgBouncer: %w", err)
	}
	return p, nil
}

// Port returns the port on 127.0.0.1.
func (p *PgBouncer) Port() int { return p.port }

// Stop ends the process and removes its files.
func (p *PgBouncer) Stop() {
	if p.process != nil {
		p.process.Stop(syscall.SIGTERM, stopTimeout)
	}
	_ = os.RemoveAll(p.directory) // it is a temporary one
}

func (p *PgBouncer) start(ctx context.Context, program bouncer, o Options) error {
	var err error
	if p.port, err = localrun.FreePort(); err != nil {
		return err
	}
	cmd := exec.Command(program.path, filepath.Join(p.directory, "config"))
	if err := p.configure(o, cmd); err != nil {
		return err
	}
	cmd.Dir = p.directory
	if program.libraries != "" {
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+program.libraries)
	}
	var log localrun.Output
	cmd.Stderr = &log
	if p.process, err = localrun.Start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	return p.await(ctx, &log)
}

// configure writes the files, and has cmd run as a user that is not root, which
// PgBouncer refuses.
func (p *PgBouncer) configure(o Options, cmd *exec.Cmd) error {
	double := func(s string) string { return strings.ReplaceAll(s, `"`, `""`) }
	config := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = users
pool_mode = transaction
ignore_startup_parameters = %s
`, o.ServerPort, p.port, o.IgnoredParameters)
	files := map[string][]byte{"users": fmt.Appendf(nil, "\"%s\" \"%s\"\n", double(o.Username), double(o.Password))}
	if o.Certificate != nil {
		config += "client_tls_sslmode = allow\nclient_tls_cert_file = certificate\nclient_tls_key_file = key\n"
		files["certificate"], files["key"] = o.Certificate, o.Key
	}
	files["config"] = []byte(config)
	owner, err := unprivileged()
	if err != nil {
		return err
	}
	if owner != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
		if err := os.Chown(p.directory, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	for name, content := range files {
		path := filepath.Join(p.directory, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
		if owner != nil {
			if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// unprivileged returns the user nobody if this process is root, and nil otherwise.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(nobody.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

// await waits until the port accepts connections.
func (p *PgBouncer) await(ctx context.Context, log *localrun.Output) error {
	const interval = 10 * time.Millisecond
	for {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.process.Done():
			return fmt.Errorf("%w: %s", p.process.Err(), log)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval):
		}
	}
}
