package hostile_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// encode returns messages as they are sent, each on its own.
func encode(messages ...pgproto3.BackendMessage) [][]byte {
	encoded := make([][]byte, len(messages))
	for i, m := range messages {
		b, err := m.Encode(nil)
		if err != nil {
			panic(fmt.Sprintf("encode %T: %v", m, err))
		}
		encoded[i] = b
	}
	return encoded
}

// raw returns a message of any type, with a length that may be another than its own.
func raw(kind byte, length uint32, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, length), body...)
}

// whole returns a message of any type with its own length.
func whole(kind byte, body []byte) []byte { return raw(kind, uint32(len(body)+4), body) }

// value returns the result of a statement that has one row of one column.
func value(text string) [][]byte {
	return rows([]string{text})
}

// rows returns the result of a statement with rows of texts.
func rows(all ...[]string) [][]byte {
	columns := 1
	if len(all) > 0 {
		columns = len(all[0])
	}
	fields := make([]pgproto3.FieldDescription, columns)
	for i := range fields {
		fields[i] = pgproto3.FieldDescription{Name: []byte("x"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}
	}
	messages := encode(&pgproto3.RowDescription{Fields: fields})
	for _, row := range all {
		values := make([][]byte, len(row))
		for i, text := range row {
			values[i] = []byte(text)
		}
		messages = append(messages, encode(&pgproto3.DataRow{Values: values})...)
	}
	return append(messages, encode(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'T'})...)
}

// withNames returns a list of tables like an honest one, with other names: each row has a
// schema and a table.
func withNames(honest [][]byte, names [][2]string) [][]byte {
	for _, m := range honest {
		var row pgproto3.DataRow
		if m[0] != 'D' || row.Decode(m[5:]) != nil || len(row.Values) < 4 {
			continue
		}
		all := make([][]string, len(names))
		for i, name := range names {
			all[i] = []string{name[0], name[1]}
			for _, column := range row.Values[2:] {
				all[i] = append(all[i], string(column))
			}
		}
		return rows(all...)
	}
	return honest
}

// failed returns a server's error to a statement.
func failed(e pgproto3.ErrorResponse) [][]byte {
	return encode(&e, &pgproto3.ReadyForQuery{TxStatus: 'E'})
}

// onlyValue returns the text of a result that has one row of one column, and whether
// it has.
func onlyValue(messages [][]byte) (string, bool) {
	var found string
	n := 0
	for _, m := range messages {
		if m[0] != 'D' {
			continue
		}
		var row pgproto3.DataRow
		if row.Decode(m[5:]) != nil || len(row.Values) != 1 {
			return "", false
		}
		found, n = string(row.Values[0]), n+1
	}
	return found, n == 1
}

// conversation is a connection of a client, as its server sees it.
type conversation struct {
	net.Conn
	backend *pgproto3.Backend
	startup map[string]string
}

// awaitStartup reads up to the start-up message. A request for TLS gets answerTLS,
// which returns the connection to go on with, or nil to end.
func awaitStartup(conn net.Conn, answerTLS func(net.Conn) net.Conn) (*conversation, error) {
	for {
		backend := pgproto3.NewBackend(conn, conn)
		message, err := backend.ReceiveStartupMessage()
		if err != nil {
			return nil, err
		}
		if startup, ok := message.(*pgproto3.StartupMessage); ok {
			return &conversation{Conn: conn, backend: backend, startup: startup.Parameters}, nil
		}
		if conn = answerTLS(conn); conn == nil {
			return nil, net.ErrClosed
		}
	}
}

// statement returns the next statement.
func (c *conversation) statement() (string, error) {
	for {
		message, err := c.backend.Receive()
		if err != nil {
			return "", err
		}
		switch m := message.(type) {
		case *pgproto3.Query:
			return m.String, nil
		case *pgproto3.Terminate:
			return "", net.ErrClosed
		}
	}
}

// ofTransaction reports whether a statement only begins or ends a transaction.
func ofTransaction(sql string) bool {
	return strings.HasPrefix(sql, "BEGIN") || strings.HasPrefix(sql, "COMMIT") || strings.HasPrefix(sql, "ROLLBACK")
}
