package rdstoken_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/rdstoken"
	"github.com/headgate/headgate/internal/testkit/certificates"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

const (
	region = "eu-west-1"
	host   = "orders.c1a2b3.eu-west-1.rds.amazonaws.com"
	other  = "others.c1a2b3.eu-west-1.rds.amazonaws.com"
)

// chain is the certificate of the fronts. The system's authorities, which are read once
// by a process, are its own.
var chain certificates.Chain

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	directory, err := os.MkdirTemp("", "headgate-rdstoken")
	if err == nil {
		chain, err = certificates.New(certificates.Options{DNSNames: []string{host, other}})
	}
	bundle := filepath.Join(directory, "authorities.pem")
	if err == nil {
		err = os.WriteFile(bundle, chain.Authority, 0o600)
	}
	if err == nil {
		err = os.Setenv("SSL_CERT_FILE", bundle)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := os.RemoveAll(directory); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

// loopback is where every name leads to.
type loopback struct{}

func (loopback) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
}

var ours = aws.Credentials{AccessKeyID: "AKIAOURS", SecretAccessKey: "our secret", SessionToken: "our session"}

// bench is a service over the local store, and a front.
type bench struct {
	*front
	service *database.Service
}

// newServer starts a server that trusts the role cdc, whose front has signed it in.
func newServer(t *testing.T) *pgserver.Server {
	t.Helper()
	server := pgtest.Start(t, pgserver.Options{HBA: []string{"host all cdc 127.0.0.1/32 trust"}})
	source := pgserver.Source{Database: "app", Username: "cdc", Password: "unused", Publication: "pub", Slot: "slot"}
	if err := server.CreateSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	return server
}

func newBench(t *testing.T, server *pgserver.Server) *bench {
	t.Helper()
	f := &front{t: t, host: host, keys: ours, now: time.Now, server: server}
	f.serve(chain)
	policy, err := egress.New("127.0.0.0/8", "")
	if err != nil {
		t.Fatal(err)
	}
	prober := probe.New(policy)
	prober.Client.Resolver = loopback{}
	store, err := localstore.Open(filepath.Join(t.TempDir(), "headgate.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{front: f, service: &database.Service{
		Catalog: store.Catalog(), Vault: store.Vault(), Prober: prober, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		IAM: database.IAM{Tokens: signer(ours), Accounts: []string{"acme"}},
	}}
}

func signer(keys aws.Credentials) rdstoken.Signer {
	return rdstoken.Signer{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil })}
}

// with returns the payload of a create by IAM, with some fields changed.
func (b *bench) with(changes map[string]string) database.Payload {
	b.t.Helper()
	fields := map[string]string{"hostname": host, "username": "cdc"}
	for name, value := range changes {
		fields[name] = value
	}
	p, err := database.ParsePayload(fmt.Appendf(nil, `{"name":"orders","hostname":%q,"port":%d,"database":"app","username":%q,"authentication":"rds_iam",
		"replication_slots":[{"publication_name":"pub","slot_name":"slot"}]}`, fields["hostname"], b.port(), fields["username"]))
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// tokens are tokens for something else than the endpoint.
type tokens struct {
	database.Tokens
	change func(*database.Endpoint)
}

func (t tokens) Token(ctx context.Context, e database.Endpoint, region string) (database.Password, error) {
	t.change(&e)
	return t.Tokens.Token(ctx, e, region)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	b := newBench(t, newServer(t))
	created, err := b.service.Create(t.Context(), "acme", b.with(nil), "key")
	if err != nil {
		t.Fatal(err)
	}
	if d := created.Database; d.Endpoint.SSLMode != database.SSLModeVerifyFull || d.SecretVersion != "" || len(d.Warnings) != 0 {
		t.Errorf("database %+v", d)
	}
	if o := created.Database.Object(); o.Authentication != "rds_iam" || o.Password != "" {
		t.Errorf("object %+v", o)
	}
	if replayed, err := b.service.Create(t.Context(), "acme", b.with(nil), "key"); err != nil || replayed.Database.ID != created.Database.ID {
		t.Errorf("replay %+v, error %v", replayed, err)
	}
	if report, err := b.service.TestConnection(t.Context(), "acme", "orders"); err != nil || report.Count(check.Failed) != 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
	var tables []database.Table
	if _, err := b.service.RefreshTables(t.Context(), "acme", "orders", func(one database.Table) bool {
		tables = append(tables, one)
		return true
	}); err != nil || len(tables) == 0 {
		t.Errorf("tables %+v, error %v", tables, err)
	}
}

func TestLogin_Rejected(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	later := func() time.Time { return time.Now().Add(16 * time.Minute) }
	for _, tt := range []struct {
		name   string
		set    func(*bench)
		fields map[string]string
		code   check.Code
		part   string // of the summary
	}{
		{"a token of another host", func(b *bench) { b.front.host = other }, nil, check.AuthenticationFailed, `GRANT rds_iam TO "cdc"`},
		{"a token of another port", func(b *bench) { b.tokensFor(func(e *database.Endpoint) { e.Port = 1 }) }, nil, check.AuthenticationFailed, "rds-db:connect"},
		{"a token of another user", func(b *bench) { b.tokensFor(func(e *database.Endpoint) { e.Username = "admin" }) }, nil, check.AuthenticationFailed, "rds-db:connect"},
		{"an expired token", func(b *bench) { b.now = later }, nil, check.AuthenticationFailed, "rds-db:connect"},
		{"a token of another AWS account", func(b *bench) {
			b.service.IAM.Tokens = signer(aws.Credentials{AccessKeyID: "AKIATHEIRS", SecretAccessKey: "theirs"})
		}, nil, check.AuthenticationFailed, "rds-db:connect"},
		{"replication by IAM is off", func(b *bench) { b.noReplication = true }, nil, check.IAMReplicationOff, "rds.iam_auth_for_replication"},
		{"a server of another name", nil, map[string]string{"hostname": "third.c1a2b3.eu-west-1.rds.amazonaws.com"}, check.TLSCertificateInvalid, ""},
		{"an account that may not", func(b *bench) { b.service.IAM.Accounts = []string{"other"} }, nil, apierror.InvalidPayload, "authentication must not be"},
		{"a service without a role", func(b *bench) { b.service.IAM.Tokens = nil }, nil, apierror.InvalidPayload, "authentication must not be"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, server)
			if tt.set != nil {
				tt.set(b)
			}
			_, err := b.service.Create(t.Context(), "acme", b.with(tt.fields), "")
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || e.Code != tt.code || !strings.Contains(e.Summary, tt.part) {
				t.Errorf("error %v", err)
			}
			if ok && strings.Contains(fmt.Sprint(e.Summary, e.Checks), "X-Amz-Signature") {
				t.Error("a token is in the answer")
			}
		})
	}
}

func (b *bench) tokensFor(change func(*database.Endpoint)) {
	b.service.IAM.Tokens = tokens{b.service.IAM.Tokens, change}
}
