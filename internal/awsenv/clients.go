package awsenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// amazonRoots are the authorities of Amazon Trust Services, which sign for all
// of AWS's endpoints. With them Go need not parse every authority of the system.
//
//go:embed amazon.pem
var amazonRoots string

// shared is what the clients have in common.
type shared struct {
	region      string
	credentials aws.CredentialsProvider
	dialer      *dialer
	http        *http.Client
}

func (e *Env) readShared() (shared, error) {
	region := e.lookup("AWS_REGION")
	if region == "" {
		region = e.lookup("AWS_DEFAULT_REGION")
	}
	if region == "" {
		return shared{}, errors.New("AWS_REGION is not set")
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if _, err := e.required(name); err != nil {
			return shared{}, err
		}
	}
	config, err := e.tls()
	if err != nil {
		return shared{}, err
	}
	d := newDialer(config)
	return shared{region: region, credentials: e.credentials(), dialer: d, http: e.httpClient(d)}, nil
}

// credentials are those that Lambda sets, for as long as the process lives.
func (e *Env) credentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID: e.lookup("AWS_ACCESS_KEY_ID"), SecretAccessKey: e.lookup("AWS_SECRET_ACCESS_KEY"),
			SessionToken: e.lookup("AWS_SESSION_TOKEN"), Source: "environment",
		}, nil
	})
}

// tls makes the configuration that AWS's endpoints are verified with. Amazon's
// authorities are parsed when it is called; those of AWS_CA_BUNDLE now, since they
// may be malformed.
func (e *Env) tls() (func() *tls.Config, error) {
	name := e.lookup("AWS_CA_BUNDLE")
	if name == "" {
		return func() *tls.Config {
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM([]byte(amazonRoots))
			return tlsConfig(pool)
		}, nil
	}
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("AWS_CA_BUNDLE can't be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("AWS_CA_BUNDLE is malformed: it must name a file of certificates in PEM")
	}
	return func() *tls.Config { return tlsConfig(pool) }, nil
}

func tlsConfig(pool *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// httpClient speaks HTTP/1.1, as AWS's endpoints do.
func (e *Env) httpClient(d *dialer) *http.Client {
	const (
		idleTime = 90 * time.Second
		idle     = 16 // as many calls as one request makes side by side
	)
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         d.dial,
		DialTLSContext:      d.dialTLS,
		TLSHandshakeTimeout: handshakeTime,
		IdleConnTimeout:     idleTime,
		MaxIdleConnsPerHost: idle,
	}
	// Through a proxy the transport makes the handshake itself.
	if e.lookup("HTTPS_PROXY") != "" || e.lookup("https_proxy") != "" {
		transport.TLSClientConfig = d.tls()
	}
	return &http.Client{Transport: transport}
}

// ConnectAhead makes a connection to the host of an endpoint's URL, where there is
// none that a client made from this Env could use, and keeps it at hand until ctx
// ends. It returns then, or at once where there is nothing to do. What fails is
// left to the call that needs the connection.
func (e *Env) ConnectAhead(ctx context.Context, endpoint *url.URL) {
	s, err := e.shared()
	if err != nil {
		return
	}
	port, secure := endpoint.Port(), endpoint.Scheme != "http"
	switch {
	case port != "":
	case secure:
		port = "443"
	default:
		port = "80"
	}
	s.dialer.connectAhead(ctx, net.JoinHostPort(endpoint.Hostname(), port), secure)
}

// client is the configuration of the client of one of AWS's services.
func (e *Env) client(service string) (aws.Config, error) {
	s, err := e.shared()
	if err != nil {
		return aws.Config{}, err
	}
	endpoint, err := e.endpoint(service)
	return aws.Config{Region: s.region, Credentials: s.credentials, HTTPClient: s.http, BaseEndpoint: endpoint}, err
}

// DynamoDB is the configuration of its client, and the name of the table, by
// TABLE_NAME.
func (e *Env) DynamoDB() (aws.Config, string, error) {
	config, err := e.client("DYNAMODB")
	if err != nil {
		return config, "", err
	}
	table, err := e.table()
	return config, table, err
}

// Secrets are where this deployment's secrets are: the first part of their names,
// by SECRET_PREFIX, and the ID of the key that they are encrypted with, by
// SECRET_KMS_KEY_ID, empty for Secrets Manager's own.
type Secrets struct{ Prefix, KMSKeyID string }

// SecretsManager is the configuration of its client, and where the secrets are.
func (e *Env) SecretsManager() (aws.Config, Secrets, error) {
	config, err := e.client("SECRETS_MANAGER")
	if err != nil {
		return config, Secrets{}, err
	}
	prefix, err := e.secretPrefix()
	return config, Secrets{Prefix: prefix, KMSKeyID: e.lookup("SECRET_KMS_KEY_ID")}, err
}

// Bus is the configuration of EventBridge's client, and the name of the stack's
// event bus, by EVENT_BUS_NAME.
func (e *Env) Bus() (aws.Config, string, error) {
	config, err := e.client("EVENTBRIDGE")
	if err != nil {
		return config, "", err
	}
	name, err := e.spelled("EVENT_BUS_NAME", 1, 256, "._/-", "the name of an event bus")
	return config, name, err
}
