package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
)

// inProcessFigures are what needs no other process: the fastest of some tries,
// since other work on the machine only makes it slower.
type inProcessFigures struct {
	answer, list testing.BenchmarkResult
}

const (
	tries  = 5
	listed = 1000
)

func inProcess(ctx context.Context) (inProcessFigures, error) {
	var f inProcessFigures
	list, err := Lister(listed)
	if err != nil {
		return f, err
	}
	if f.answer, err = fastest(AnswerCreate); err != nil {
		return f, fmt.Errorf("decoding, validating and encoding: %w", err)
	}
	if f.list, err = fastest(func() error { return list(ctx) }); err != nil {
		return f, fmt.Errorf("listing: %w", err)
	}
	return f, nil
}

// fastest is the best of the tries at do.
func fastest(do func() error) (best testing.BenchmarkResult, err error) {
	for range tries {
		result := testing.Benchmark(func(b *testing.B) {
			for b.Loop() && err == nil {
				err = do()
			}
		})
		if err != nil {
			return best, err
		}
		if best.N == 0 || result.NsPerOp() < best.NsPerOp() {
			best = result
		}
	}
	return best, err
}

// createBody is a create as most are.
func createBody() []byte {
	return []byte(`{"name":"orders","hostname":"db.example.com","port":5432,"database":"shop","username":"cdc",
"password":"not-a-real-one","ssl":true,"replication_slots":[{"publication_name":"orders_pub","slot_name":"orders_slot"}]}`)
}

// AnswerCreate does what a create does in the function itself: it decodes and
// validates a body, and encodes the object for the gateway.
func AnswerCreate() error {
	p, err := database.ParsePayload(createBody())
	if err != nil {
		return err
	}
	d := sample("01a205d5-9db7-7210-844a-29313135c3b0", p)
	_, err = httpapi.Response{
		Status: http.StatusCreated, Body: d.Object(), Location: "/v1/api/postgres_databases/" + d.ID,
	}.Render("c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
	return err
}

func sample(id string, p database.Payload) database.Database {
	d := database.Database{ID: id, Account: account, Name: p.Name, Endpoint: p.Target.Endpoint, Slot: p.Target.Slot}
	d.Slot.ID = "01a205d5-9db7-7211-a68f-724d47b650b5"
	return d
}

// memoryCatalog lists databases that it has at hand: a list from it takes what the
// service and the gateway's form take beside the store.
type memoryCatalog struct {
	database.Catalog
	all []database.Database
}

func (c memoryCatalog) List(_ context.Context, _, after string, limit int) ([]database.Database, error) {
	from := sort.Search(len(c.all), func(i int) bool { return c.all[i].ID > after })
	return c.all[from:min(from+limit, len(c.all))], nil
}

// Lister lists so many databases, at most 1,000, from the gateway's event to the
// answer.
func Lister(many int) (func(context.Context) error, error) {
	var catalog memoryCatalog
	for i := range many {
		p, err := database.ParsePayload([]byte(strings.Replace(string(createBody()), "orders", fmt.Sprintf("orders-%d", i), 1)))
		if err != nil {
			return nil, fmt.Errorf("making databases to list: %w", err)
		}
		catalog.all = append(catalog.all, sample(fmt.Sprintf("01a205d5-9db7-7210-844a-%012x", i), p))
	}
	log := slog.New(slog.DiscardHandler)
	handle := httpapi.Serve(log, httpapi.ListDatabases, httpapi.Databases{Service: &database.Service{Catalog: catalog, Now: time.Now, Log: log}}.List)
	e := post("")
	e.HTTPMethod = http.MethodGet
	e.QueryStringParameters = map[string]string{"limit": fmt.Sprint(many)}
	return func(ctx context.Context) error { return listOnce(ctx, handle, e, many) }, nil
}

type handler = func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error)

func listOnce(ctx context.Context, handle handler, e events.APIGatewayProxyRequest, many int) error {
	answer, err := handle(ctx, e)
	if err != nil {
		return err
	}
	// Counting what came costs little beside making it.
	if n := strings.Count(answer.Body, `"hostname":`); answer.StatusCode != http.StatusOK || n != many {
		return fmt.Errorf("answered %d with %d databases, want %d", answer.StatusCode, n, many)
	}
	return nil
}

func (f inProcessFigures) rows() []Row {
	return []Row{
		{"decode, validate, encode", "µs", microseconds(f.answer, 1), 20},
		{"decode, validate, encode", "allocations", float64(f.answer.AllocsPerOp()), 60},
		{"list of 1,000, per database, beside the store's own time", "µs", microseconds(f.list, listed), 20},
	}
}

func microseconds(r testing.BenchmarkResult, of int) float64 {
	return float64(r.NsPerOp()) / float64(of) / float64(time.Microsecond)
}
