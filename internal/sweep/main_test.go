package sweep_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/sweep"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/storetest"
	"github.com/headgate/headgate/internal/vault"
)

// moto is the server of all tests. Each test has a table and a prefix of its own.
var moto struct{ url string }

func TestMain(m *testing.M) {
	os.Exit(mototest.Main(m, func(s *mototest.Server) { moto.url = s.URL() }))
}

// bench is a deployment whose clock is two hours ahead, and the network to it.
type bench struct {
	sweep.Sweeper
	t       *testing.T
	wire    *faultwire.Wire
	secrets *secretsmanager.Client
	config  vault.Config
	catalog *catalog.Catalog
	log     *bytes.Buffer
	target  *target
}

// target is a Maker that drops what is asked, unless it has findings.
type target struct {
	dropped  []database.Making
	findings check.Report
}

func (*target) Make(context.Context, database.Target, database.Making) (database.Making, check.Report) {
	return database.Making{}, nil
}

func (t *target) Drop(_ context.Context, dialled database.Target, _ database.Source, m database.Making) (database.Making, check.Report) {
	if dialled.Passwords.Main == "" {
		return database.Making{}, check.Report{check.Fail(check.Authentication, check.AuthenticationFailed, "no password", "")}
	}
	if len(t.findings) > 0 {
		return database.Making{}, t.findings
	}
	t.dropped = append(t.dropped, m)
	return m, nil
}

func (*target) DropStatements(database.Target) string { return "" }

func newBench(t *testing.T) *bench {
	t.Helper()
	wire, id := faultwire.New(t), uuid.NewString()
	b := &bench{
		t: t, wire: wire, secrets: secretsmanager.NewFromConfig(wire.Config(moto.url)), log: &bytes.Buffer{},
		config: vault.Config{Prefix: "prefix-" + id, Table: "table-" + id},
	}
	if err := mototest.CreateTable(t.Context(), moto.url, b.config.Table); err != nil {
		t.Fatal(err)
	}
	b.catalog = catalog.Open(wire.Config(moto.url), b.config.Table)
	passwords := vault.Open(wire.Config(moto.url), b.config)
	b.target = &target{}
	b.Sweeper = sweep.Sweeper{
		Catalog: b.catalog, Vault: passwords,
		Requests: &database.Service{Catalog: b.catalog, Vault: passwords, Maker: b.target, Now: time.Now, Log: slog.New(slog.DiscardHandler)},
		Now:      func() time.Time { return time.Now().Add(2 * time.Hour) },
		Age:      time.Hour, Log: slog.New(slog.NewTextHandler(b.log, nil)),
	}
	return b
}

// orphan creates the secret of a database that is not registered.
func (b *bench) orphan() database.Database { return b.orphanOf(b.config) }

func (b *bench) orphanOf(config vault.Config) database.Database {
	b.t.Helper()
	d := storetest.Database(storetest.Account(), "orders")
	if _, err := vault.Open(b.wire.Config(moto.url), config).Create(storetest.Context(b.t), d, storetest.Passwords()); err != nil {
		b.t.Fatal(err)
	}
	return d
}

// whole creates a secret and registers its database.
func (b *bench) whole() database.Database {
	b.t.Helper()
	d := b.orphan()
	d.SecretVersion = d.ID
	if err := b.catalog.Insert(storetest.Context(b.t), d, nil); err != nil {
		b.t.Fatal(err)
	}
	return d
}

// tagged creates a secret with that name and those tags.
func (b *bench) tagged(name string, tags map[string]string) {
	b.t.Helper()
	in := &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("{}")}
	for key, value := range tags {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	if _, err := b.secrets.CreateSecret(b.t.Context(), in); err != nil {
		b.t.Fatal(err)
	}
}

// sweep makes one sweep, which must succeed.
func (b *bench) sweep() sweep.Report {
	b.t.Helper()
	report, err := b.Sweep(storetest.Context(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	return report
}

// wantLeft fails the test unless nothing was deleted.
func (b *bench) wantLeft() {
	b.t.Helper()
	if n := len(b.wire.Requests("DeleteSecret")); n != 0 {
		b.t.Errorf("%d secrets were deleted, want none", n)
	}
}

// scheduled reports whether the database's secret is scheduled for deletion.
func (b *bench) scheduled(d database.Database) bool {
	b.t.Helper()
	out, err := b.secrets.DescribeSecret(b.t.Context(), &secretsmanager.DescribeSecretInput{
		SecretId: aws.String(b.config.Prefix + "/" + d.Account + "/" + d.ID),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out.DeletedDate != nil
}

// short returns a context that ends after d.
func short(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
