package pgserver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

func TestServer_Exec(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{Settings: map[string]string{"application_name": "it's"}})
	ctx := deadline(t)
	for sql, want := range map[string]string{
		"SELECT 1, NULL, 'a'; SELECT 2": "1\t\ta\n2",
		"SHOW wal_level":                "logical",
		"SHOW ssl":                      "on",
		"SHOW server_encoding":          "UTF8",
		"SHOW max_replication_slots":    "40",
		"SHOW password_encryption":      "scram-sha-256",
	} {
		if got := exec(t, server, sql); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
	if _, err := server.Exec(ctx, "postgres", "SELECT nothing"); err == nil {
		t.Error("an invalid statement returns no error")
	}
	if _, err := server.Exec(ctx, "absent", "SELECT 1"); err == nil {
		t.Error("a database that does not exist returns no error")
	}
}

func TestStart_DefaultOptions(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{})
	for _, host := range []string{"localhost", server.Host()} {
		conn, err := connect(t, server, host, server.SuperuserPassword())
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if _, ok := conn.Conn().(*tls.Conn); !ok {
			t.Errorf("%s: the connection has no TLS", host)
		}
	}
	if _, err := connect(t, server, server.Host(), "wrong"); err == nil {
		t.Error("a wrong password is accepted")
	}
}

func TestStart_NoTLSAndMD5(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{
		NoTLS: true, PasswordEncryption: "md5", HBA: []string{"host all all 127.0.0.1/32 md5"},
	})
	if got := exec(t, server, "SHOW ssl"); got != "off" {
		t.Errorf("ssl is %s", got)
	}
	if server.RootCertPEM() != nil {
		t.Error("there is a certificate authority without TLS")
	}
	if got := exec(t, server, "SELECT left(rolpassword, 3) FROM pg_authid WHERE rolname = 'postgres'"); got != "md5" {
		t.Errorf("the password is stored as %s", got)
	}
}

func TestServer_Restart(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{})
	ctx, port := deadline(t), server.Port()
	exec(t, server, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
	if err := server.Set(ctx, "max_connections", "50"); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if got := exec(t, server, "SELECT n, current_setting('max_connections') FROM kept"); got != "7\t50" {
		t.Errorf("after the restart: %q", got)
	}
	if server.Port() != port {
		t.Errorf("the port changed from %d to %d", port, server.Port())
	}
}

func TestServer_SetHBA(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{})
	ctx := deadline(t)
	if err := server.SetHBA(ctx, "host all all 127.0.0.1/32 reject"); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, server, server.Host(), server.SuperuserPassword()); err == nil {
		t.Error("a rejected address can log in")
	}
	if err := server.SetHBA(ctx, "no such line"); err == nil {
		t.Error("an invalid line returns no error")
	}
	if err := server.SetHBA(ctx, "host all all 127.0.0.1/32 scram-sha-256"); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, server, server.Host(), server.SuperuserPassword()); err != nil {
		t.Error(err)
	}
}

func TestStart_TwoServers(t *testing.T) {
	t.Parallel()
	const identifier = "SELECT system_identifier FROM pg_control_system()"
	first, second := pgtest.Start(t, pgserver.Options{}), pgtest.Start(t, pgserver.Options{})
	if one, two := exec(t, first, identifier), exec(t, second, identifier); one == two || strings.HasPrefix(one, "-") {
		t.Errorf("system identifiers %s and %s", one, two)
	}
	if first.SuperuserPassword() == second.SuperuserPassword() {
		t.Error("two servers have the same password")
	}
}

func TestStartStandby(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t, pgserver.Options{Settings: map[string]string{"max_connections": "120"}})
	exec(t, primary, "CREATE TABLE before AS SELECT 1 AS n")
	standby := pgtest.StartStandby(t, primary, pgserver.Options{PrimarySlot: "for_standby"})
	if got := exec(t, standby, "SELECT n, pg_is_in_recovery() FROM before"); got != "1\tt" {
		t.Errorf("a new standby has %q", got)
	}
	for n := range 5 {
		exec(t, primary, fmt.Sprintf("CREATE TABLE t%d AS SELECT %d AS n", n, n))
		if err := pgserver.WaitForReplay(deadline(t), primary, standby); err != nil {
			t.Fatal(err)
		}
		if got := exec(t, standby, fmt.Sprintf("SELECT n FROM t%d", n)); got != fmt.Sprint(n) {
			t.Errorf("the standby has %q, want %d", got, n)
		}
	}
	if got := exec(t, primary, "SELECT active FROM pg_replication_slots WHERE slot_name = 'for_standby'"); got != "t" {
		t.Errorf("active of the physical slot is %q", got)
	}
	if got := exec(t, standby, "SHOW hot_standby_feedback"); got != "on" {
		t.Errorf("hot_standby_feedback is %s", got)
	}
	if err := standby.Restart(deadline(t)); err != nil {
		t.Fatal(err)
	}
}

func TestServer_Stop(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgserver.Options{})
	pid, directory := server.PID(), server.SocketDirectory()
	server.Stop()
	server.Stop()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process: %v", err)
	}
	if _, err := os.Stat(directory); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
	if server.PID() != 0 {
		t.Error("a stopped server has a process ID")
	}
}

func TestStart_InvalidSetting(t *testing.T) {
	t.Parallel()
	installation, err := pgtest.Installation(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = pgserver.Start(deadline(t), pgserver.Options{
		Installation: installation, Settings: map[string]string{"no_such_setting": "1"},
	})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("error %v, want the server's log in it", err)
	}
}

func TestInstall_UnsupportedMajor(t *testing.T) {
	t.Parallel()
	for _, major := range []int{0, pgserver.UnsupportedMajor - 1, pgserver.NewestMajor + 1} {
		if _, err := pgserver.Install(deadline(t), major); err == nil {
			t.Errorf("major %d returns no error", major)
		}
	}
}

func exec(t *testing.T, server *pgserver.Server, sql string) string {
	t.Helper()
	got, err := server.Exec(deadline(t), "postgres", sql)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// connect connects over TLS until the test ends.
func connect(t *testing.T, server *pgserver.Server, host, password string) (*pgconn.PgConn, error) {
	t.Helper()
	config, err := pgconn.ParseConfig(fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres sslmode=require",
		host, server.Port()))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bytes.Clone(server.RootCertPEM())) {
		t.Fatal("the certificate authority is not a certificate")
	}
	config.Password = password
	config.TLSConfig = &tls.Config{RootCAs: roots, ServerName: host}
	conn, err := pgconn.ConnectConfig(deadline(t), config)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
