package awsenv

import (
	"bufio"
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
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// amazonRoots are the roots of Amazon Trust Services, which issues the
// certificates of all AWS endpoints. Parsing every root of the system takes longer.
//
//go:embed amazon.pem
var amazonRoots string

// shared is the configuration that all clients share.
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
	if err := e.checkBundle(); err != nil {
		return shared{}, err
	}
	d := newDialer(e.tlsConfig)
	client, err := e.httpClient(d)
	return shared{region: region, credentials: e.Credentials(), dialer: d, http: client}, err
}

// Credentials returns those that Lambda sets. They do not change during the life of
// the process.
func (e *Env) Credentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID: e.lookup("AWS_ACCESS_KEY_ID"), SecretAccessKey: e.lookup("AWS_SECRET_ACCESS_KEY"),
			SessionToken: e.lookup("AWS_SESSION_TOKEN"), Source: "environment",
		}, nil
	})
}

// bundle is the variable with the name of a file of authorities, in place of Amazon's.
const bundle = "AWS_CA_BUNDLE"

// checkBundle stops the start where the file is missing or has no certificate. It looks
// for the beginning of one and does not parse it, which tlsConfig does once it is needed.
func (e *Env) checkBundle() error {
	name := e.lookup(bundle)
	if name == "" {
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", bundle, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.TrimSpace(lines.Text()) == "-----BEGIN CERTIFICATE-----" {
			return nil
		}
	}
	return malformedBundle()
}

func malformedBundle() error {
	return malformed(bundle, "the name of a file of certificates in PEM")
}

// tlsConfig returns the configuration for AWS endpoints, which trusts the bundle's
// authorities or Amazon's.
func (e *Env) tlsConfig() (*tls.Config, error) {
	roots, pool := []byte(amazonRoots), x509.NewCertPool()
	if name := e.lookup(bundle); name != "" {
		var err error
		if roots, err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("read %s: %w", bundle, err)
		}
	}
	if !pool.AppendCertsFromPEM(roots) {
		return nil, malformedBundle()
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// httpClient returns a client of HTTP/1.1, which is what AWS endpoints serve.
func (e *Env) httpClient(d *dialer) (*http.Client, error) {
	const (
		idleTimeout  = 90 * time.Second
		maxIdleConns = 16 // as many calls as one request makes concurrently
	)
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         d.dial,
		DialTLSContext:      d.dialTLS,
		TLSHandshakeTimeout: handshakeTimeout,
		IdleConnTimeout:     idleTimeout,
		MaxIdleConnsPerHost: maxIdleConns,
	}
	// Through a proxy, the transport does the handshake itself.
	if e.lookup("HTTPS_PROXY") != "" || e.lookup("https_proxy") != "" {
		var err error
		if transport.TLSClientConfig, err = d.tls(); err != nil {
			return nil, err
		}
	}
	return &http.Client{Transport: transport}, nil
}

// Preconnect opens a connection to an endpoint for the clients of this Env, unless
// they have one, and keeps it until ctx ends. It returns then, or at once if there
// is nothing to do. It reports no errors: the call that needs the connection will.
func (e *Env) Preconnect(ctx context.Context, endpoint *url.URL) {
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
	s.dialer.preconnect(ctx, net.JoinHostPort(endpoint.Hostname(), port), secure)
}

// client returns the configuration of the client of an AWS service.
func (e *Env) client(service string) (aws.Config, error) {
	s, err := e.shared()
	if err != nil {
		return aws.Config{}, err
	}
	endpoint, err := e.endpoint(service)
	return aws.Config{Region: s.region, Credentials: s.credentials, HTTPClient: s.http, BaseEndpoint: endpoint}, err
}

// HTTPClient returns the client of AWS endpoints, for requests that no SDK sends.
func (e *Env) HTTPClient() (*http.Client, error) {
	s, err := e.shared()
	return s.http, err
}

// Region returns the Region that the function runs in.
func (e *Env) Region() (string, error) {
	s, err := e.shared()
	return s.region, err
}

// DynamoDB returns the configuration of its client and the table's name,
// TABLE_NAME.
func (e *Env) DynamoDB() (aws.Config, string, error) {
	config, err := e.client("DYNAMODB")
	if err != nil {
		return config, "", err
	}
	table, err := e.table()
	return config, table, err
}

// Secrets says where this deployment's secrets are stored: SECRET_PREFIX, and
// SECRET_KMS_KEY_ID, which is empty for the account's default key.
type Secrets struct{ Prefix, KMSKeyID string }

// SecretsManager returns the configuration of its client and where the secrets are
// stored.
func (e *Env) SecretsManager() (aws.Config, Secrets, error) {
	config, err := e.client("SECRETS_MANAGER")
	if err != nil {
		return config, Secrets{}, err
	}
	prefix, err := e.secretPrefix()
	return config, Secrets{Prefix: prefix, KMSKeyID: e.lookup("SECRET_KMS_KEY_ID")}, err
}

// Bus returns the configuration of EventBridge's client and the event bus's name,
// EVENT_BUS_NAME.
func (e *Env) Bus() (aws.Config, string, error) {
	config, err := e.client("EVENTBRIDGE")
	if err != nil {
		return config, "", err
	}
	name, err := e.word("EVENT_BUS_NAME", 1, 256, "._/-", "the name of an event bus")
	return config, name, err
}

// Queue returns the configuration of SQS's client and the queue's URL, which the
// variable has.
func (e *Env) Queue(variable string) (aws.Config, string, error) {
	config, err := e.client("SQS")
	if err != nil {
		return config, "", err
	}
	address, err := e.required(variable)
	if err != nil {
		return config, "", err
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return config, "", malformed(variable, "the URL of an SQS queue")
	}
	return config, address, nil
}
