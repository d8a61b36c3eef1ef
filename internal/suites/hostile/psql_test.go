package hostile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runSQL pastes SQL into psql as the superuser, where the machine has one, and runs it
// over the protocol otherwise: some sets of server programs come without psql.
func runSQL(t *testing.T, database, sql string) (output string, err error) {
	t.Helper()
	server := postgres.get(t)
	program := filepath.Join(server.Installation().BinDir, "psql")
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("psql"); err != nil {
			return server.Exec(t.Context(), database, sql)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "PGHOST=" + server.Host(), fmt.Sprintf("PGPORT=%d", server.Port()),
		"PGUSER=postgres", "PGPASSWORD=" + server.SuperuserPassword(), "PGDATABASE=" + database, "PGCLIENTENCODING=UTF8",
	}
	cmd.Stdin = strings.NewReader(sql + "\n;\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
