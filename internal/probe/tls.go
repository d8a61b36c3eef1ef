package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// sslRequest is the message that asks a server for TLS, in the form the
// protocol gives it (length 8, code 80877103).
func sslRequest() []byte { return []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f} }

// askTLS asks the server on w whether it speaks TLS.
func askTLS(w *wire) *check.Entry {
	if _, err := w.Write(sslRequest()); err != nil {
		return silence(err, false)
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(w, answer); err != nil {
		return silence(err, false)
	}
	switch answer[0] {
	case 'S':
		return nil
	case 'N':
		return failed(check.TLS, check.TLSNotSupported, "the server does not offer TLS, and ssl is true",
			"ALTER SYSTEM SET ssl = on -- with ssl_cert_file and ssl_key_file in place, then SELECT pg_reload_conf()")
	case 'E':
		// What a postmaster sends that can't start a process for a connection.
		return failed(check.Authentication, check.ServerUnavailable, "the server could not take another connection", "")
	}
	return notPostgres()
}

// encrypt shakes hands on w. again tells whether the handshake failed for want
// of a curve in common, so that a second one with all of Go's may succeed.
func (p *Prober) encrypt(ctx context.Context, w *wire, e database.Endpoint, curves []tls.CurveID) (conn *tls.Conn, again bool, refused *check.Entry) {
	config, err := p.tlsConfig(e, curves)
	if err != nil {
		return nil, false, failed(check.TLS, check.TLSCertificateInvalid, "the authorities to verify the server with could not be read", "")
	}
	conn = tls.Client(w, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, refusesCurves(err), handshakeFailure(err)
	}
	return conn, false, nil
}

// fastCurves are the curves of a first try. Servers up to 17 take only P-256 by
// default, and Go's first key share would be of another curve: the answer to
// that costs a round trip.
func fastCurves() []tls.CurveID {
	return []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521}
}

func (p *Prober) tlsConfig(e database.Endpoint, curves []tls.CurveID) (*tls.Config, error) {
	config := &tls.Config{
		ServerName:       strings.TrimSuffix(e.Hostname, "."),
		MinVersion:       tls.VersionTLS12,
		CurvePreferences: curves,
		// A statement that is sent ahead goes out in one record with what it follows.
		DynamicRecordSizingDisabled: true,
		// ssl: true encrypts and does not insist on a known authority.
		InsecureSkipVerify: e.SSLMode != database.SSLModeVerifyFull,
	}
	if config.InsecureSkipVerify {
		return config, nil
	}
	var err error
	config.RootCAs, err = roots(e.SSLRootCert)
	return config, err
}

func handshakeFailure(err error) *check.Entry {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return failed(check.TLS, check.TLSCertificateInvalid,
			"the server's certificate could not be verified: "+printable(err.Error()),
			"send the authority's certificate in ssl_root_cert, and the host name that the certificate has")
	}
	if isTimeout(err) || isClosed(err) {
		return silence(err, true)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return notPostgres() // it began with an S, as SSH does
	}
	return failed(check.TLS, check.TLSFailed, "the TLS handshake failed: "+printable(err.Error()), "")
}

// refusesCurves tells whether a handshake failed in the way it does where
// client and server have no curve in common.
func refusesCurves(err error) bool {
	const handshakeAlert = 40 // handshake_failure, RFC 8446
	// The alert itself is of a type that crypto/tls does not export.
	alert, ok := errors.AsType[*net.OpError](err)
	return ok && alert.Op == "remote error" && alert.Err.Error() == tls.AlertError(handshakeAlert).Error()
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, errFlood) ||
		errors.Is(err, pgconn.ErrConnClosed)
}
