// Command naive creates a database in the straightforward way, without regard to
// latency: the SDK's default configuration, pgx.Connect, one QueryRow for each
// check, one call after another. It asks the target what create-database asks and
// writes to the same stores. It has no idempotency key and no retries, and reports
// only the first failed check.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

type slot struct {
	ID          string `json:"id"`
	Publication string `json:"publication_name"`
	Name        string `json:"slot_name"`
}

type source struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Hostname string `json:"hostname"`
	Port     int    `json:"port"`
	Database string `json:"database"`
	Username string `json:"username"`
	Password string `json:"password,omitempty"`
	Slots    []slot `json:"replication_slots"`
}

type handler struct {
	dynamo  *dynamodb.Client
	secrets *secretsmanager.Client
	table   string
	prefix  string
}

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	h := &handler{
		dynamo: dynamodb.NewFromConfig(cfg), secrets: secretsmanager.NewFromConfig(cfg),
		table: os.Getenv("TABLE_NAME"), prefix: os.Getenv("SECRET_PREFIX"),
	}
	lambda.Start(h.handle)
}

func (h *handler) handle(ctx context.Context, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	account, _ := e.RequestContext.Authorizer["account_id"].(string)
	var s source
	if err := json.Unmarshal([]byte(e.Body), &s); err != nil {
		return answer(http.StatusBadRequest, map[string]string{"summary": "not JSON"})
	}
	if account == "" || s.Name == "" || s.Hostname == "" || s.Password == "" || len(s.Slots) != 1 {
		return answer(http.StatusUnprocessableEntity, map[string]string{"summary": "a field is missing"})
	}
	if err := run(ctx, s); err != nil {
		return answer(http.StatusUnprocessableEntity, map[string]string{"summary": err.Error()})
	}
	s.ID, s.Slots[0].ID = uuid.NewString(), uuid.NewString()
	if err := h.store(ctx, account, s); err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	s.Password = "************"
	return answer(http.StatusCreated, s)
}

func answer(status int, body any) (events.APIGatewayProxyResponse, error) {
	text, err := json.Marshal(body)
	return events.APIGatewayProxyResponse{
		StatusCode: status, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(text),
	}, err
}

type check struct {
	name, sql string
	args      []any
}

// checks returns the queries that a source must answer with true.
func checks(s slot) []check {
	return []check{
		{"server_version", "SELECT current_setting('server_version_num')::int >= 120000", nil},
		{"standby", "SELECT NOT pg_is_in_recovery()", nil},
		{"wal_level", "SELECT current_setting('wal_level') = 'logical'", nil},
		{"replication_role", "SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user", nil},
		{"walsenders", "SELECT count(*) < current_setting('max_wal_senders')::int FROM pg_stat_replication", nil},
		{"publication", "SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = $1)", []any{s.Publication}},
		{
			"replication_slot",
			`SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND plugin = 'pgoutput'
			AND database = current_database() AND NOT active AND NOT temporary AND wal_status <> 'lost')`,
			[]any{s.Name},
		},
		{
			"publication_order",
			"SELECT age(p.xmin) > age(s.catalog_xmin) FROM pg_publication p, pg_replication_slots s WHERE p.pubname = $1 AND s.slot_name = $2",
			[]any{s.Publication, s.Name},
		},
		{
			"tables",
			`SELECT coalesce(bool_and(has_table_privilege(c.oid, 'SELECT') AND (c.relreplident <> 'd' OR i.indrelid IS NOT NULL)), true)
			FROM pg_publication_tables t JOIN pg_namespace n ON n.nspname = t.schemaname
			JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
			LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary WHERE t.pubname = $1`,
			[]any{s.Publication},
		},
	}
}

// run fails for the first check that the source fails.
func run(ctx context.Context, s source) error {
	conn, err := pgx.Connect(ctx, (&url.URL{
		Scheme: "postgres", User: url.UserPassword(s.Username, s.Password),
		Host: net.JoinHostPort(s.Hostname, strconv.Itoa(s.Port)), Path: "/" + s.Database, RawQuery: "sslmode=require",
	}).String())
	if err != nil {
		return errors.New("the database could not be reached") // the cause may have the password
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, c := range checks(s.Slots[0]) {
		var good bool
		if err := conn.QueryRow(ctx, c.sql, c.args...).Scan(&good); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if !good {
			return errors.New("failed: " + c.name)
		}
	}
	return nil
}

// store puts the password into Secrets Manager and the rest into the table.
func (h *handler) store(ctx context.Context, account string, s source) error {
	secret, err := json.Marshal(map[string]any{
		"engine": "postgres", "host": s.Hostname, "port": s.Port, "dbname": s.Database, "username": s.Username, "password": s.Password,
	})
	if err != nil {
		return err
	}
	_, err = h.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(h.prefix + "/" + account + "/" + s.ID), SecretString: aws.String(string(secret)),
	})
	if err != nil {
		return err
	}
	s.Password = ""
	document, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = h.dynamo.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		h.put(account, "database#"+s.ID, "document", string(document)),
		h.put(account, "name#"+s.Name, "database_id", s.ID),
	}})
	return err
}

func (h *handler) put(account, key, attribute, value string) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &h.table, ConditionExpression: aws.String("attribute_not_exists(PK)"),
		Item: map[string]types.AttributeValue{
			"PK":      &types.AttributeValueMemberS{Value: "account#" + account},
			"SK":      &types.AttributeValueMemberS{Value: key},
			attribute: &types.AttributeValueMemberS{Value: value},
		},
	}}
}
