package ask

import (
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

const (
	// statementTimeout is the server's limit on a statement.
	statementTimeout = 3 * time.Second
	// lockTimeout is the server's limit on waiting for a lock.
	lockTimeout = time.Second
	// idleTimeout is the server's limit on waiting for the next message of a transaction:
	// longer than a probe takes.
	idleTimeout = 15 * time.Second
)

// transaction is a statement, and the messages that run it.
type transaction struct {
	statement string
	messages  []string
	// each takes the rows of the statement, which are then not in its result. If it
	// returns an error, it gets no more, and the statement has that error. It may be nil.
	each func(row [][]byte) error
}

// newTransaction returns sql in a read-only transaction, within timeout on the server,
// with settings that end with it: behind a pooler the server's session goes to other
// clients. Each statement is a message of its own, since walsenders before 12.10, 13.6
// and 14.2 are said to reject semicolons. A Bare session is behind a pooler, which may
// allow no transactions.
func newTransaction(kind facts.SessionKind, sql string, timeout time.Duration, settings ...setting) transaction {
	if kind == facts.Bare {
		return transaction{statement: sql, messages: []string{sql}}
	}
	// A standby rejects the isolation level serializable, which can be the role's
	// default.
	return transaction{statement: sql, messages: []string{
		"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
		// First and alone, because the role's own limit applies until it is done.
		"SELECT " + limit("statement_timeout", timeout).sql(), settingsSQL(settings...), sql, "COMMIT",
	}}
}

// messages returns the messages of all transactions.
func messages(transactions []transaction) []string {
	var all []string
	for _, t := range transactions {
		all = append(all, t.messages...)
	}
	return all
}

// setting is the name of a setting, and a value.
type setting [2]string

// limit returns the setting of a limit in milliseconds. It is at least one, since 0
// means no limit.
func limit(name string, d time.Duration) setting {
	return setting{name, strconv.FormatInt(max(1, d.Milliseconds()), 10)}
}

func (s setting) sql() string {
	return "pg_catalog.set_config(" + quote.Literal(s[0]) + ", " + quote.Literal(s[1]) + ", true)"
}

// settingsSQL sets what a statement needs, whatever the defaults of the role, the
// database and the server are. A database without an encoding can hold bytes that are
// not UTF-8, which the server refuses to send as such. Every name in it is qualified,
// operators too: the role's search path applies until it is done.
func settingsSQL(more ...setting) string {
	calls := []string{
		limit("lock_timeout", lockTimeout).sql(),
		setting{"client_min_messages", "warning"}.sql(),
		setting{"search_path", "pg_catalog"}.sql(),
		setting{"quote_all_identifiers", "off"}.sql(),
		setting{"jit", "off"}.sql(), // it would take longer than the statements
		// The role's limits are on its own transactions. The second one is new in 17.
		limit("idle_in_transaction_session_timeout", idleTimeout).sql(),
		"CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) 170000 THEN " + setting{"transaction_timeout", "0"}.sql() + " END",
		"CASE WHEN pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.=) 'SQL_ASCII' THEN " + setting{"client_encoding", "SQL_ASCII"}.sql() + " END",
	}
	for _, s := range more {
		calls = append(calls, s.sql())
	}
	return "SELECT " + strings.Join(calls, ", ")
}
