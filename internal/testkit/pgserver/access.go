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

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const execTimeout = time.Minute

// Port returns the TCP port, on 127.0.0.1 and, if the machine has it, ::1. A
// Restart does not change it.
func (s *Server) Port() int { return s.port }

// Host returns the IPv4 address that the server listens on.
func (s *Server) Host() string { return "127.0.0.1" }

// SocketDirectory returns the directory of the server's Unix socket. Only the
// server's user and root can enter it. Stop removes it.
func (s *Server) SocketDirectory() string { return s.directory }

// PID returns the process ID of the server, or 0 after Stop.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.PID()
}

// Installation returns the programs that the server runs.
func (s *Server) Installation() Installation { return s.options.Installation }

// SuperuserPassword returns the password of the superuser postgres: letters and
// digits. A standby has its primary's.
func (s *Server) SuperuserPassword() string { return s.password }

// RootCertPEM returns the certificate of the authority that signed the server's
// certificate, or nil without TLS.
func (s *Server) RootCertPEM() []byte { return s.rootPEM }

// Log returns what the server has logged, or nothing if that can't be read.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return ""
	}
	return string(text)
}

// loginTriggersMajor is the first major version with event triggers on login, and with
// the setting event_triggers.
const loginTriggersMajor = 17

// Exec runs SQL as the superuser over the Unix socket, regardless of the
// configured pg_hba.conf. Several statements share one transaction unless they
// begin their own. Exec returns their rows: columns separated by tabs, rows by
// newlines, nulls as empty text. It takes a minute at most. No event trigger runs: a
// login trigger that writes would keep the superuser out of a standby too.
func (s *Server) Exec(ctx context.Context, database, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, execTimeout)
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
		return nil, fmt.Errorf("parse connection settings: %w", err)
	}
	config.Host, config.Port, config.Database = s.directory, uint16(s.port), database
	config.Fallbacks = nil
	config.RuntimeParams = map[string]string{"application_name": "pgserver"}
	if s.Installation().Major >= loginTriggersMajor {
		config.RuntimeParams["event_triggers"] = "off"
	}
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

// Set changes a setting by ALTER SYSTEM. Most settings take effect with the next
// Reload, some need a Restart.
func (s *Server) Set(ctx context.Context, name, value string) error {
	_, err := s.Exec(ctx, superuserDatabase, fmt.Sprintf(`ALTER SYSTEM SET %s = %s`, quoteIdentifier(name), quoteLiteral(value)))
	return err
}

// SetHBA replaces the lines of pg_hba.conf, as in Options, and reloads. If the
// server rejects a line, SetHBA returns an error and keeps the old lines.
func (s *Server) SetHBA(ctx context.Context, lines ...string) error {
	old, err := os.ReadFile(filepath.Join(s.data(), "pg_hba.conf"))
	if err != nil {
		return fmt.Errorf("read pg_hba.conf: %w", err)
	}
	if err := s.write("pg_hba.conf", []byte(hba(lines))); err != nil {
		return err
	}
	// A line that needs TLS is no fault of a server without: it matches nothing.
	faults, err := s.Exec(ctx, superuserDatabase,
		"SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL AND error NOT LIKE '%cannot match because SSL is disabled'")
	if err != nil {
		return err
	}
	if faults != "" {
		return errors.Join(fmt.Errorf("set pg_hba.conf: line %s", faults), s.write("pg_hba.conf", old))
	}
	return s.Reload(ctx)
}

// Reload makes the server read its configuration again. Sessions that begin after
// Reload returns have the new one.
func (s *Server) Reload(ctx context.Context) error {
	const loaded = "SELECT extract(epoch FROM pg_conf_load_time())::numeric(20,6)"
	before, err := s.Exec(ctx, superuserDatabase, loaded)
	if err != nil {
		return err
	}
	if err := syscall.Kill(s.PID(), syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload: signal the server: %w", err)
	}
	// A new session has the load time of the postmaster that forked it.
	return poll(ctx, "reload", func(ctx context.Context) (bool, error) {
		after, err := s.Exec(ctx, superuserDatabase, loaded)
		return after != before, err
	})
}

// poll calls ask until it returns true or an error, for a minute at most.
func poll(ctx context.Context, what string, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, execTimeout)
	defer cancel()
	if err := localrun.Poll(ctx, pollInterval, func() (bool, error) { return ask(ctx) }); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func quoteLiteral(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
