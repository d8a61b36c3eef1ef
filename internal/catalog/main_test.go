package catalog_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/faultwire"
	"github.com/headgate/headgate/internal/testkit/mototest"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// moto is the server of all tests. Each test has a table of its own.
var moto struct {
	url string
}

func TestMain(m *testing.M) {
	os.Exit(mototest.Main(m, func(s *mototest.Server) { moto.url = s.URL() }))
}

// table is a new table and the network to it.
type table struct {
	name   string
	wire   *faultwire.Wire
	config aws.Config
}

func newTable(t testing.TB) table {
	t.Helper()
	name := "headgate-" + uuid.NewString()
	if err := mototest.CreateTable(t.Context(), moto.url, name); err != nil {
		t.Fatal(err)
	}
	wire := faultwire.New(t)
	return table{name: name, wire: wire, config: wire.Config(moto.url)}
}

// client returns a client with the SDK's own retries.
func (t table) client() *dynamodb.Client { return dynamodb.NewFromConfig(t.config) }

func (t table) catalog() *catalog.Catalog { return catalog.Open(t.config, t.name) }

// dump returns all items of the table as text.
func (t table) dump(ctx context.Context) (string, error) {
	var all strings.Builder
	pages := dynamodb.NewScanPaginator(t.client(), &dynamodb.ScanInput{TableName: &t.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, item := range page.Items {
			all.WriteString(flat(item))
		}
	}
	return all.String(), nil
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	storetest.RunCatalog(t, func(t *testing.T) database.Catalog { return newTable(t).catalog() })
}

func TestKeys(t *testing.T) {
	t.Parallel()
	storetest.RunKeys(t, func(t *testing.T) apikey.Store { return newTable(t).catalog().Keys() })
}
