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
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
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
	http        *http.Client
}

func (e *Env) shared() (shared, error) {
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
	pool, err := e.roots()
	if err != nil {
		return shared{}, err
	}
	return shared{region: region, credentials: e.credentials(), http: httpClient(pool)}, nil
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

// roots are the authorities that AWS's endpoints are verified with.
func (e *Env) roots() (*x509.CertPool, error) {
	pem, name := []byte(amazonRoots), e.lookup("AWS_CA_BUNDLE")
	if name != "" {
		var err error
		if pem, err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("AWS_CA_BUNDLE can't be read: %w", err)
		}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("AWS_CA_BUNDLE is malformed: it must name a file of certificates in PEM")
	}
	return pool, nil
}

// httpClient has limits for each step of a call; the call as a whole is bounded
// by its context.
func httpClient(pool *x509.CertPool) *http.Client {
	const (
		dialTime, handshakeTime = 3 * time.Second, 3 * time.Second
		idleTime                = 90 * time.Second
		idle                    = 16 // as many calls as one request makes side by side
	)
	return &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTime}).DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: handshakeTime,
		IdleConnTimeout:     idleTime,
		MaxIdleConnsPerHost: idle,
	}}
}

func (e *Env) dynamoDB(s shared) (*dynamodb.Client, error) {
	endpoint, err := e.endpoint("DYNAMODB")
	if err != nil {
		return nil, err
	}
	return dynamodb.New(dynamodb.Options{Region: s.region, Credentials: s.credentials, HTTPClient: s.http, BaseEndpoint: endpoint}), nil
}

func (e *Env) secretsManager(s shared) (*secretsmanager.Client, error) {
	endpoint, err := e.endpoint("SECRETS_MANAGER")
	if err != nil {
		return nil, err
	}
	return secretsmanager.New(secretsmanager.Options{Region: s.region, Credentials: s.credentials, HTTPClient: s.http, BaseEndpoint: endpoint}), nil
}
