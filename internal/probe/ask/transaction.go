package ask

import (
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

// statementTimeout is the server's limit on a statement.
const statementTimeout = 3 * time.Second

// transaction returns the statements that run sql in a read-only transaction, within
// timeout on the server, with settings that end with it: behind a pooler the server's session goes to other
// clients. Each is a message of its own, since walsenders before 12.10, 13.6 and 14.2
// are said to reject semicolons. A Bare session is behind a pooler, which may allow
// no transactions.
func transaction(kind facts.SessionKind, sql string, timeout time.Duration, settings ...setting) []string {
	if kind == facts.Bare {
		return []string{sql}
	}
	// A standby rejects the isolation level serializable, which can be the role's
	// default.
	return []string{"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", settingsSQL(timeout, settings...), sql, "COMMIT"}
}

// setting is the name of a setting, and a value.
type setting [2]string

// settingsSQL sets what a statement needs, whatever the defaults of the role, the
// database and the server are.
func settingsSQL(timeout time.Duration, more ...setting) string {
	var calls []string
	for _, s := range append([]setting{
		{"statement_timeout", strconv.FormatInt(timeout.Milliseconds(), 10)},
		{"client_min_messages", "warning"},
		{"search_path", "pg_catalog"},
	}, more...) {
		calls = append(calls, "pg_catalog.set_config("+quote.Literal(s[0])+", "+quote.Literal(s[1])+", true)")
	}
	return "SELECT " + strings.Join(calls, ", ")
}
