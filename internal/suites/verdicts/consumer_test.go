package verdicts_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/stringprep"

	"github.com/headgate/headgate/internal/database"
)

const (
	// streamTime is how long a consumer waits for changes before it says that they
	// are held back.
	streamTime = 3 * time.Second
	// askInterval is how often it asks the server how far it has read.
	askInterval = 20 * time.Millisecond
	loginTime   = 5 * time.Second
)

// login opens a session as a consumer does that is built on libpq: the password is
// prepared by SASLprep where the server asks for SCRAM, and sent raw otherwise. pgx
// prepares by PRECIS, which leaves what SASLprep made as it is. Of two rejections the one
// that is not about the password is libpq's.
func login(ctx context.Context, e database.Endpoint, password string, params map[string]string) (*pgconn.PgConn, error) {
	prepared, err := stringprep.SASLprep.Prepare(password)
	if err != nil {
		prepared = password // as libpq has it
	}
	conn, err := loginWith(ctx, e, prepared, params)
	if err != nil && prepared != password {
		raw, again := loginWith(ctx, e, password, params)
		pgErr, rejected := errors.AsType[*pgconn.PgError](again)
		if again == nil || rejected && pgErr.Code != pgerrcode.InvalidPassword {
			return raw, again
		}
	}
	return conn, err
}

func loginWith(ctx context.Context, e database.Endpoint, password string, params map[string]string) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig("host=localhost user=none password=none sslmode=disable target_session_attrs=any")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.Database, config.User, config.Password = e.Hostname, uint16(e.Port), e.Database, e.Username, password
	// The encoding that consumers ask for, whatever the role's own is.
	config.Fallbacks, config.RuntimeParams, config.ConnectTimeout = nil, map[string]string{"client_encoding": "UTF8"}, loginTime
	maps.Copy(config.RuntimeParams, params)
	// Channel binding is optional, and no consumer here insists on it.
	config.ChannelBinding = "disable"
	if !e.SSL {
		// headgate promises to send no password in cleartext without TLS.
		config.RequireAuth = "!password"
	} else if config.TLSConfig, err = tlsConfig(e); err != nil {
		return nil, err
	}
	return pgconn.ConnectConfig(ctx, config)
}

func tlsConfig(e database.Endpoint) (*tls.Config, error) {
	config := &tls.Config{ServerName: e.Hostname, InsecureSkipVerify: e.SSLMode != database.SSLModeVerifyFull}
	if e.SSLRootCert != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(e.SSLRootCert)) {
			return nil, errors.New("read ssl_root_cert: there is no certificate in it")
		}
	}
	return config, nil
}

// event is one change that came: its operation, the relation that it came under
// and the values in it, separated by tabs.
type event struct{ operation, relation, values string }

// consumer is a session that streams a slot.
type consumer struct {
	conn      *pgconn.PgConn
	relations map[uint32]*pglogrepl.RelationMessage
	events    []event
	reached   pglogrepl.LSN
	// skipped is whether the server said that it skipped changes for want of the
	// publication, as it does from 18.
	skipped bool
}

func (c *consumer) start(ctx context.Context, s database.Slot) error {
	c.relations = map[uint32]*pglogrepl.RelationMessage{}
	ctx, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	return pglogrepl.StartReplication(ctx, c.conn, s.SlotName, 0, pglogrepl.StartReplicationOptions{
		Mode:       pglogrepl.LogicalReplication,
		PluginArgs: []string{"proto_version '1'", "publication_names " + literal(quote(s.PublicationName))},
	})
}

var errHeld = errors.New("the server did not send what was committed in time")

// readTo reads all that the server sends up to a position, and confirms nothing.
func (c *consumer) readTo(ctx context.Context, position pglogrepl.LSN) error {
	ctx, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	for c.reached < position {
		if ctx.Err() != nil {
			return errHeld
		}
		if err := pglogrepl.SendStandbyStatusUpdate(ctx, c.conn, pglogrepl.StandbyStatusUpdate{ReplyRequested: true}); err != nil {
			return c.ended(ctx, err)
		}
		if err := c.readFor(ctx, askInterval); err != nil {
			return err
		}
	}
	return nil
}

// ended returns why the server ended the stream, which it says before it closes
// the connection.
func (c *consumer) ended(ctx context.Context, sending error) error {
	if err := c.readFor(ctx, streamTime); err != nil {
		return err
	}
	return sending
}

// readFor reads until a reply to a status update came, or the time is up.
func (c *consumer) readFor(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for {
		message, err := c.conn.ReceiveMessage(ctx)
		if pgconn.Timeout(err) {
			return nil
		}
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.NoticeResponse:
			c.skipped = c.skipped || strings.HasPrefix(m.Message, "skipped loading publication")
		case *pgproto3.CopyData:
			replied, err := c.take(m.Data)
			if err != nil || replied {
				return err
			}
		}
	}
}

// take takes one message of the stream, and reports whether it is a keepalive.
func (c *consumer) take(data []byte) (bool, error) {
	switch data[0] {
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		m, err := pglogrepl.ParsePrimaryKeepaliveMessage(data[1:])
		c.reached = max(c.reached, m.ServerWALEnd)
		return true, err
	case pglogrepl.XLogDataByteID:
		m, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return false, err
		}
		change, err := pglogrepl.Parse(m.WALData)
		if err != nil {
			return false, err
		}
		c.note(change)
	}
	return false, nil
}

func (c *consumer) note(change pglogrepl.Message) {
	switch m := change.(type) {
	case *pglogrepl.RelationMessage:
		c.relations[m.RelationID] = m
	case *pglogrepl.InsertMessage:
		c.add("insert", m.RelationID, m.Tuple)
	case *pglogrepl.UpdateMessage:
		c.add("update", m.RelationID, m.NewTuple)
	case *pglogrepl.DeleteMessage:
		c.add("delete", m.RelationID, m.OldTuple)
	case *pglogrepl.TruncateMessage:
		for _, id := range m.RelationIDs {
			c.add("truncate", id, nil)
		}
	}
}

func (c *consumer) add(operation string, id uint32, tuple *pglogrepl.TupleData) {
	var values []string
	if tuple != nil {
		for _, column := range tuple.Columns {
			values = append(values, string(column.Data))
		}
	}
	name := fmt.Sprint(id)
	if r := c.relations[id]; r != nil {
		name = quote(r.Namespace) + "." + quote(r.RelationName)
	}
	c.events = append(c.events, event{operation, name, strings.Join(values, "\t")})
}
