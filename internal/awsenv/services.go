package awsenv

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/vault"
)

// Databases is the service on DynamoDB and Secrets Manager.
func (e *Env) Databases(log *slog.Logger) (*database.Service, error) {
	st, err := e.stores()
	if err != nil {
		return nil, err
	}
	policy, err := e.egress()
	if err != nil {
		return nil, err
	}
	return &database.Service{
		Catalog: st.catalog,
		Vault:   vault.New(st.secrets, st.config),
		Prober:  probe.New(policy),

		References: vault.NewReferences(st.secrets),
		Now:        time.Now,
		Log:        log,
	}, nil
}

// stores are the catalog, the client of the vault, and where its secrets go.
type stores struct {
	catalog *catalog.Catalog
	secrets *secretsmanager.Client
	config  vault.Config
}

func (e *Env) stores() (stores, error) {
	s, err := e.shared()
	if err != nil {
		return stores{}, err
	}
	store, table, err := e.catalog(s)
	if err != nil {
		return stores{}, err
	}
	prefix, err := e.secretPrefix()
	if err != nil {
		return stores{}, err
	}
	secrets, err := e.secretsManager(s)
	config := vault.Config{Prefix: prefix, Table: table, KMSKeyID: e.lookup("SECRET_KMS_KEY_ID")}
	return stores{store, secrets, config}, err
}

// Keys is the service of API keys on DynamoDB.
func (e *Env) Keys() (*apikey.Service, error) {
	s, err := e.shared()
	if err != nil {
		return nil, err
	}
	store, _, err := e.catalog(s)
	if err != nil {
		return nil, err
	}
	return &apikey.Service{Store: store.Keys(), Now: time.Now}, nil
}

func (e *Env) catalog(s shared) (*catalog.Catalog, string, error) {
	table, err := e.table()
	if err != nil {
		return nil, "", err
	}
	client, err := e.dynamoDB(s)
	if err != nil {
		return nil, "", err
	}
	return catalog.New(client, table), table, nil
}

// Fail ends a process that can't start, with one line that says why.
func Fail(err error) {
	fmt.Fprintln(os.Stderr, "headgate: "+err.Error())
	os.Exit(1)
}
