package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// oracle knows what an honest server answers: it asks the real one, once for each
// statement.
type oracle struct {
	source pgserver.Source

	mu       sync.Mutex
	sessions map[string]*pgconn.HijackedConn
	answers  map[string][][]byte
}

// newOracle returns the oracle of a source that passes, with findings about its
// tables.
func newOracle(t *testing.T, password string) *oracle {
	t.Helper()
	o := &oracle{source: newSource(t, password, nil), sessions: map[string]*pgconn.HijackedConn{}, answers: map[string][][]byte{}}
	for _, sql := range []string{
		"CREATE SCHEMA closed; CREATE TABLE closed.t (id int)", "CREATE TABLE u (id int)", "CREATE TABLE v (id int)",
		"DROP PUBLICATION pub; CREATE PUBLICATION pub FOR ALL TABLES",
		"SELECT pg_drop_replication_slot('" + o.source.Slot + "')",
		"SELECT pg_create_logical_replication_slot('" + o.source.Slot + "', 'pgoutput')",
	} {
		if _, err := postgres.get(t).Exec(t.Context(), o.source.Database, sql); err != nil {
			t.Fatal(err)
		}
	}
	port := postgres.get(t).Port()
	for _, replication := range []string{"database", ""} {
		session, err := openSession(t.Context(), port, o.source, replication)
		if err != nil {
			t.Fatal(err)
		}
		o.sessions[replication] = session
	}
	t.Cleanup(func() {
		for _, s := range o.sessions {
			_ = s.Conn.Close() // the server ends the session either way
		}
	})
	return o
}

func openSession(ctx context.Context, port int, source pgserver.Source, replication string) (*pgconn.HijackedConn, error) {
	config, err := pgconn.ParseConfig("host=127.0.0.1 user=none sslmode=disable target_session_attrs=any")
	if err != nil {
		return nil, err
	}
	config.Port, config.Database, config.User, config.Password = uint16(port), source.Database, source.Username, source.Password
	config.Fallbacks = nil
	config.RuntimeParams = map[string]string{}
	if replication != "" {
		config.RuntimeParams["replication"] = replication
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return conn.Hijack()
}

// login returns the messages of a login that the server accepts without asking
// anything.
func (o *oracle) login(startup map[string]string) [][]byte {
	session := o.sessions[startup["replication"]]
	messages := []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}}
	for _, name := range slices.Sorted(maps.Keys(session.ParameterStatuses)) {
		messages = append(messages, &pgproto3.ParameterStatus{Name: name, Value: session.ParameterStatuses[name]})
	}
	return encode(append(messages, &pgproto3.BackendKeyData{ProcessID: session.PID, SecretKey: []byte{1, 2, 3, 4}}, &pgproto3.ReadyForQuery{TxStatus: 'I'})...)
}

// makesSlot and dropsSlot report whether a statement changes what others are answered.
func makesSlot(sql string) bool {
	return strings.HasPrefix(sql, "SELECT pg_catalog.pg_create_logical_replication_slot(")
}

func dropsSlot(sql string) bool {
	return strings.HasPrefix(sql, "SELECT pg_catalog.pg_drop_replication_slot(")
}

// answer returns the messages that answer a statement in a session of that start-up,
// before and after the slot was made.
func (o *oracle) answer(startup map[string]string, made bool, sql string) ([][]byte, error) {
	if ofTransaction(sql) {
		return encode(&pgproto3.CommandComplete{CommandTag: []byte("BEGIN")}, &pgproto3.ReadyForQuery{TxStatus: 'T'}), nil
	}
	// The time that is left is in some statements.
	key := startup["replication"] + strconv.FormatBool(made) + regexp.MustCompile(`\d+`).ReplaceAllString(sql, "0")
	o.mu.Lock()
	defer o.mu.Unlock()
	if answer, known := o.answers[key]; known {
		return answer, nil
	}
	session := o.sessions[startup["replication"]]
	if session == nil {
		return nil, fmt.Errorf("no session with replication %q", startup["replication"])
	}
	session.Frontend.Send(&pgproto3.Query{String: sql})
	if err := session.Frontend.Flush(); err != nil {
		return nil, err
	}
	var answer [][]byte
	for {
		message, err := session.Frontend.Receive()
		if err != nil {
			return nil, errors.Join(errors.New("ask the real server"), err)
		}
		answer = append(answer, encode(message)...)
		if _, ok := message.(*pgproto3.ReadyForQuery); ok {
			o.answers[key] = answer
			return answer, nil
		}
	}
}
