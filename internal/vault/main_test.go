package vault_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/storetest"
	"github.com/headgate/headgate/internal/vault"
)

// moto is the server of all tests. Each test has a prefix of its own.
var moto struct {
	url string
}

func TestMain(m *testing.M) {
	os.Exit(mototest.Main(m, func(s *mototest.Server) { moto.url = s.URL() }))
}

// bench is a vault and the network to it.
type bench struct {
	*vault.Vault
	wire   *faultwire.Wire
	client *secretsmanager.Client
	config vault.Config
}

func newBench(t *testing.T) bench {
	t.Helper()
	wire := faultwire.New(t)
	b := bench{wire: wire, client: secretsmanager.NewFromConfig(wire.Config(moto.url)), config: vault.Config{
		Prefix: "headgate-" + uuid.NewString(), Table: "headgate-table", KMSKeyID: "alias/headgate",
	}}
	b.Vault = vault.Open(wire.Config(moto.url), b.config)
	return b
}

// name returns the name that a database's secret must have.
func (b bench) name(d database.Database) *string {
	name := b.config.Prefix + "/" + d.Account + "/" + d.ID
	return &name
}

// create creates the secret of a new database.
func (b bench) create(t *testing.T) (database.Database, database.Passwords) {
	t.Helper()
	d, p := storetest.Database(storetest.Account(), "orders"), storetest.Passwords()
	if _, err := b.Create(storetest.Context(t), d, p); err != nil {
		t.Fatal(err)
	}
	return d, p
}

// add adds a version to a database's secret and returns its ID.
func (b bench) add(t *testing.T, d database.Database) string {
	t.Helper()
	added, err := b.AddVersion(storetest.Context(t), d, storetest.Passwords(), storetest.ID())
	if err != nil {
		t.Fatal(err)
	}
	return added.Version
}

func TestVault(t *testing.T) {
	t.Parallel()
	storetest.RunVault(t, func(t *testing.T) database.Vault { return newBench(t).Vault })
}

func wantKind(t *testing.T, err error, kind apierror.Kind) {
	t.Helper()
	if err == nil || apierror.KindOf(err) != kind {
		t.Fatalf("error %v of kind %d, want kind %d", err, apierror.KindOf(err), kind)
	}
}
