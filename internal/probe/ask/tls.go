package ask

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe/facts"
)

// transport is a connection to a server, over TLS if the endpoint says so.
type transport struct {
	net.Conn

	wire *wire
	// cert is the server's certificate, nil without TLS.
	cert *x509.Certificate
}

// channelBinding returns the session's setting of channel_binding. Its hash is that of
// the certificate's signature. Servers can't compute it for a signature that has no
// hash of its own, such as Ed25519, and end the login; up to 15 nor for RSA-PSS.
func (t transport) channelBinding() string {
	if t.cert == nil {
		return "disable"
	}
	switch t.cert.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.ECDSAWithSHA1, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return "prefer"
	}
	return "disable"
}

// connect opens a connection. If the server has none of the fast curves, it opens
// a second one with all of Go's curves.
func (h *Host) connect(ctx context.Context) (transport, *facts.Failure) {
	t, again, failure := h.connectWith(ctx, fastCurves())
	if again {
		t, _, failure = h.connectWith(ctx, nil)
	}
	return t, failure
}

func (h *Host) connectWith(ctx context.Context, curves []tls.CurveID) (t transport, again bool, failure *facts.Failure) {
	w, failure := h.client.dial(ctx, h.addrs)
	if failure != nil {
		return t, false, failure
	}
	if !h.Endpoint.SSL {
		return transport{Conn: w, wire: w}, false, nil
	}
	failure = requestTLS(w)
	if failure == nil {
		var conn *tls.Conn
		if conn, again, failure = encrypt(w, h.Endpoint, curves); failure == nil {
			return transport{Conn: conn, wire: w, cert: conn.ConnectionState().PeerCertificates[0]}, false, nil
		}
	}
	_ = w.Close() // the failure before it is what matters
	return t, again, failure
}

// sslRequest returns the protocol's SSLRequest message: length 8, code 80877103.
func sslRequest() []byte { return []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f} }

// requestTLS asks the server on w for TLS.
func requestTLS(w *wire) *facts.Failure {
	if _, err := w.Write(sslRequest()); err != nil {
		return connectionFailure(err, false)
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(w, answer); err != nil {
		return connectionFailure(err, false)
	}
	switch answer[0] {
	case 'S':
		return nil
	case 'N':
		return &facts.Failure{Kind: facts.TLSNotOffered}
	case 'E':
		// A postmaster that can't start a process for the connection sends an error.
		return &facts.Failure{Kind: facts.NoProcess}
	}
	return &facts.Failure{Kind: facts.NotPostgres}
}

// Alerts of TLS (RFC 8446).
const (
	alertHandshakeFailure    = 40
	alertProtocolVersion     = 70
	alertCertificateRequired = 116
)

// encrypt does the TLS handshake on w. again is true if it failed because
// client and server have no curve in common.
func encrypt(w *wire, e database.Endpoint, curves []tls.CurveID) (conn *tls.Conn, again bool, failure *facts.Failure) {
	config, err := tlsConfig(e, curves)
	if err != nil {
		return nil, false, &facts.Failure{Kind: facts.RootsUnreadable}
	}
	requested := false
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		requested = true
		return new(tls.Certificate), nil // none, which most servers accept
	}
	conn = tls.Client(w, config)
	if err := conn.Handshake(); err != nil { // the wire ends it with the context
		if requested && isAlert(err, alertHandshakeFailure) { // with TLS 1.2
			return nil, false, &facts.Failure{Kind: facts.ClientCertificateRequested}
		}
		return nil, rejectsCurves(err), handshakeFailure(err)
	}
	return conn, false, nil
}

// fastCurves are the curves of the first attempt. Up to version 17 servers accept
// only P-256 by default, and Go's first key share would be of another curve: the
// server's answer to that costs a round trip.
func fastCurves() []tls.CurveID {
	return []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521}
}

func tlsConfig(e database.Endpoint, curves []tls.CurveID) (*tls.Config, error) {
	config := &tls.Config{
		ServerName:       strings.TrimSuffix(e.Hostname, "."),
		MinVersion:       tls.VersionTLS12,
		CurvePreferences: curves,
		// A pipelined statement is sent in one record with the message before it.
		DynamicRecordSizingDisabled: true,
		// With "ssl": true alone the connection is encrypted and the server is not verified.
		InsecureSkipVerify: e.SSLMode != database.SSLModeVerifyFull,
	}
	if config.InsecureSkipVerify {
		return config, nil
	}
	var err error
	config.RootCAs, err = roots(e.SSLRootCert)
	return config, err
}

func handshakeFailure(err error) *facts.Failure {
	if invalid, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificateFailure(invalid)
	}
	if isTimeout(err) || isClosed(err) {
		return connectionFailure(err, true)
	}
	if requestsCertificate(err) {
		return &facts.Failure{Kind: facts.ClientCertificateRequested}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return &facts.Failure{Kind: facts.NotPostgres} // its first byte was an S, as of SSH
	}
	// An older server answers with its version, and Go has no type for that error.
	if isAlert(err, alertProtocolVersion) || strings.Contains(err.Error(), "unsupported protocol version") {
		return &facts.Failure{Kind: facts.TLSTooOld}
	}
	return &facts.Failure{Kind: facts.HandshakeFailed, Detail: handshakeDetail(err)}
}

// handshakeDetail returns what went wrong in a handshake, without Go's prefixes.
func handshakeDetail(err error) string {
	text := err.Error()
	if alert, ok := strings.CutPrefix(text, "remote error: "); ok {
		return "the server ended it with the alert " + strings.TrimPrefix(alert, "tls: ")
	}
	return strings.TrimPrefix(text, "tls: ")
}

// certificateFailure returns why the server's certificate could not be verified.
func certificateFailure(err *tls.CertificateVerificationError) *facts.Failure {
	f := &facts.Failure{Kind: facts.CertificateNotVerified, Detail: err.Err.Error()}
	if len(err.UnverifiedCertificates) == 0 {
		return f
	}
	cert := err.UnverifiedCertificates[0]
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return &facts.Failure{Kind: facts.CertificateUnknownAuthority, Detail: cert.Issuer.String()}
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		names := cert.DNSNames
		for _, ip := range cert.IPAddresses {
			names = append(names, ip.String())
		}
		return &facts.Failure{Kind: facts.CertificateOtherHost, Detail: strings.Join(names, ", ")}
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		if expired := invalid.Cert; time.Now().After(expired.NotAfter) {
			return &facts.Failure{Kind: facts.CertificateExpired, Detail: expired.NotAfter.UTC().Format(time.DateOnly)}
		}
		return &facts.Failure{Kind: facts.CertificateNotYetValid, Detail: invalid.Cert.NotBefore.UTC().Format(time.DateOnly)}
	}
	return f
}

// requestsCertificate reports whether err is the server's alert that it needs a
// certificate of the client. With TLS 1.3 it comes after the handshake.
func requestsCertificate(err error) bool {
	return isAlert(err, alertCertificateRequired)
}

// rejectsCurves reports whether a handshake failed as it does if client and server
// have no curve in common.
func rejectsCurves(err error) bool {
	return isAlert(err, alertHandshakeFailure)
}

// isAlert reports whether the server ended the connection with a TLS alert of that
// number. The alert itself is of a type that crypto/tls does not export.
func isAlert(err error, number uint8) bool {
	alert, ok := errors.AsType[*net.OpError](err)
	return ok && alert.Op == "remote error" && alert.Err.Error() == tls.AlertError(number).Error()
}
