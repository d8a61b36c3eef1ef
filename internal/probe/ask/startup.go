package ask

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/probe/facts"
)

// maxMessageBytes bounds one message of a server.
const maxMessageBytes = 1 << 20

// fixedConfig has a value for every setting that pgconn would otherwise read from
// the environment.
const fixedConfig = "host=localhost port=5432 user=none password=none dbname=none sslmode=disable target_session_attrs=any " +
	"connect_timeout=0 passfile='' sslkey='' sslcert='' sslrootcert='' sslcertmode=disable sslnegotiation=postgres sslpassword='' " +
	"channel_binding=prefer require_auth='' min_protocol_version=3.0 max_protocol_version=3.0"

// startup returns the configuration of a session. Only a constant is parsed,
// nothing that the caller sent; then everything that the environment can set is
// overwritten.
func (h *Host) startup(a attempt) (*pgconn.Config, error) {
	// A service is read from its file even where all of its settings are given.
	if err := os.Unsetenv("PGSERVICE"); err != nil {
		return nil, err
	}
	config, err := pgconn.ParseConfig(fixedConfig)
	if err != nil {
		return nil, errors.New("parse session configuration: rejected") // the cause can hold the environment's password
	}
	config.Host, config.Port = h.addrs[0].Addr().String(), h.addrs[0].Port()
	config.Database, config.User = h.Endpoint.Database, h.Endpoint.Username
	config.Password = a.password
	config.TLSConfig, config.Fallbacks = nil, nil
	config.ConnectTimeout = 0
	config.ValidateConnect, config.AfterConnect = nil, nil
	config.ChannelBinding, config.RequireAuth = "prefer", ""
	if !h.maySendPassword() {
		config.RequireAuth = "!password"
	}
	config.MinProtocolVersion, config.MaxProtocolVersion = "3.0", "3.0"
	config.SSLNegotiation, config.SSLCertMode = "postgres", "disable"
	config.KerberosSrvName, config.KerberosSpn = "", ""
	config.MaxProtocolMessageBodyLen = maxMessageBytes
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.RuntimeParams = parameters(a.kind)
	return config, nil
}

// parameters returns the start-up parameters. There are no settings among them that
// a consumer would not send: a login trigger would run under them, and a pooler
// rejects those that it does not know. The settings of a statement are local to its
// transaction.
func parameters(kind facts.SessionKind) map[string]string {
	params := map[string]string{"client_encoding": "UTF8", "application_name": "headgate"}
	if kind == facts.WALSender {
		params["replication"] = "database"
	}
	return params
}

// oneShot returns a dial function that returns conn once. pgconn dials again to
// send a cancel request, which must not happen here.
func oneShot(conn net.Conn) pgconn.DialFunc {
	return func(context.Context, string, string) (net.Conn, error) {
		if conn == nil {
			return nil, net.ErrClosed
		}
		c := conn
		conn = nil
		return c, nil
	}
}
