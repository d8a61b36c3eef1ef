package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const execDeadline = time.Minute

// Port is the TCP port, on 127.0.0.1 and where the machine has it ::1; it
// stays the same over a Restart.
func (s *Server) Port() int { return s.port }

// Host is the IPv4 address that the server listens on.
func (s *Server) Host() string { return "127.0.0.1" }

// SocketDirectory is the directory of the server's unix socket, which only the
// server's user and root can enter.
func (s *Server) SocketDirectory() string { return s.directory }

// DataDirectory is the directory of the server's data.
func (s *Server) DataDirectory() string { return s.data() }

// PID is the process ID of the server, 0 once it is stopped.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.PID()
}

// Installation is the programs that the server runs.
func (s *Server) Installation() Installation { return s.options.Installation }

// SuperuserPassword is the password of the superuser postgres, letters and
// digits. A standby has its primary's.
func (s *Server) SuperuserPassword() string { return s.password }

// RootCertPEM is the certificate of the authority that signed the server's
// certificate; nil without TLS.
func (s *Server) RootCertPEM() []byte { return s.rootPEM }

// Log is what the server has logged so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return ""
	}
	return string(text)
}

// Exec runs SQL as the superuser over the unix socket, whatever pg_hba.conf
// says. It takes several statements, which share one transaction unless they
// say otherwise, and returns their rows: columns separated by tabs, rows by
// line ends, nulls as nothing. It waits for a minute at most.
func (s *Server) Exec(ctx context.Context, database, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, execDeadline)
	defer cancel()
	conn, err := s.connect(ctx, database)
	if err != nil {
		return "", err
	}
	text, err := query(ctx, conn, sql)
	return text, errors.Join(err, conn.Close(ctx))
}

func (s *Server) connect(ctx context.Context, database string) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig("user=postgres sslmode=disable target_session_attrs=any")
	if err != nil {
		return nil, fmt.Errorf("prepare a connection: %w", err)
	}
	config.Host, config.Port, config.Database = s.directory, uint16(s.port), database
	config.Fallbacks = nil
	config.RuntimeParams = map[string]string{"application_name": "pgserver"}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", database, err)
	}
	return conn, nil
}

func query(ctx context.Context, conn *pgconn.PgConn, sql string) (string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", fmt.Errorf("execute SQL: %w", err)
	}
	var lines []string
	for _, result := range results {
		for _, row := range result.Rows {
			columns := make([]string, len(row))
			for i, column := range row {
				columns[i] = string(column)
			}
			lines = append(lines, strings.Join(columns, "\t"))
		}
	}
	return strings.Join(lines, "\n"), nil
}

// Set changes a setting by ALTER SYSTEM. It takes effect with the next Reload
// or, as some settings need it, Restart.
func (s *Server) Set(ctx context.Context, name, value string) error {
	_, err := s.Exec(ctx, databaseOfRoot,
		fmt.Sprintf(`ALTER SYSTEM SET "%s" = '%s'`, strings.ReplaceAll(name, `"`, `""`), strings.ReplaceAll(value, "'", "''")))
	return err
}

// SetHBA replaces the lines of pg_hba.conf, as in Options, and reloads. A line
// that the server does not understand is an error, and then the old ones stay.
func (s *Server) SetHBA(ctx context.Context, lines ...string) error {
	old, err := os.ReadFile(filepath.Join(s.data(), "pg_hba.conf"))
	if err != nil {
		return fmt.Errorf("read pg_hba.conf: %w", err)
	}
	if err := s.write("pg_hba.conf", []byte(hba(lines))); err != nil {
		return err
	}
	faults, err := s.Exec(ctx, databaseOfRoot,
		"SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL")
	if err != nil {
		return err
	}
	if faults != "" {
		return errors.Join(fmt.Errorf("set pg_hba.conf: %s", faults), s.write("pg_hba.conf", old))
	}
	return s.Reload(ctx)
}

// Reload makes the server read its configuration again; sessions begun after
// it returns are under the new one.
func (s *Server) Reload(ctx context.Context) error {
	const loaded = "SELECT extract(epoch FROM pg_conf_load_time())::numeric(20,6)"
	before, err := s.Exec(ctx, databaseOfRoot, loaded)
	if err != nil {
		return err
	}
	if err := syscall.Kill(s.PID(), syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	// A new session has the load time of the server that forked it.
	return s.poll(ctx, "wait for the reload", func(ctx context.Context) (bool, error) {
		after, err := s.Exec(ctx, databaseOfRoot, loaded)
		return after != before, err
	})
}

// poll asks again and again until the answer is yes, an error, or a minute is over.
func (s *Server) poll(ctx context.Context, what string, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, execDeadline)
	defer cancel()
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		done, err := ask(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-ticker.C:
		}
	}
}
