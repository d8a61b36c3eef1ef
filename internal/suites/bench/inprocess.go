package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/testkit/gateway"
)

// inProcessFigures has the fastest of some tries in this process: other work on the
// machine only makes it slower.
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
		return f, fmt.Errorf("decode, validate and encode: %w", err)
	}
	if f.list, err = fastest(func() error { return list(ctx) }); err != nil {
		return f, fmt.Errorf("list: %w", err)
	}
	return f, nil
}

// fastest returns the best of the tries.
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

// createBody returns the body of a typical create.
func createBody() []byte {
	return []byte(`{"name":"orders","hostname":"db.example.com","port":5432,"database":"shop","username":"cdc",
"password":"not-a-real-one","ssl":true,"replication_slots":[{"publication_name":"orders_pub","slot_name":"orders_slot"}]}`)
}

// AnswerCreate does what a create does besides calling others: it decodes and
// validates the body and encodes the response.
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

// memoryCatalog lists databases from memory, so that a list takes no time of the
// store.
type memoryCatalog struct {
	database.Catalog
	all []database.Database
}

func (c memoryCatalog) List(_ context.Context, _, after string, limit int) ([]database.Database, error) {
	from := sort.Search(len(c.all), func(i int) bool { return c.all[i].ID > after })
	return c.all[from:min(from+limit, len(c.all))], nil
}

// Lister returns a function that lists that count databases, at most 1,000, from the
// event to the response.
func Lister(count int) (func(context.Context) error, error) {
	var catalog memoryCatalog
	for i := range count {
		p, err := database.ParsePayload([]byte(strings.Replace(string(createBody()), "orders", fmt.Sprintf("orders-%d", i), 1)))
		if err != nil {
			return nil, fmt.Errorf("create databases to list: %w", err)
		}
		catalog.all = append(catalog.all, sample(fmt.Sprintf("01a205d5-9db7-7210-844a-%012x", i), p))
	}
	log := slog.New(slog.DiscardHandler)
	handle := httpapi.Serve(log, httpapi.ListDatabases, httpapi.Databases{Service: &database.Service{Catalog: catalog, Now: time.Now, Log: log}}.List)
	_, e, err := gateway.Event(gateway.Request{
		Account: account, Method: http.MethodGet, Target: gateway.Collection + "?limit=" + strconv.Itoa(count),
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return listOnce(ctx, handle, e, count) }, nil
}

type handler = func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error)

func listOnce(ctx context.Context, handle handler, e events.APIGatewayProxyRequest, count int) error {
	response, err := handle(ctx, e)
	if err != nil {
		return err
	}
	// Counting takes little time compared with encoding.
	if n := strings.Count(response.Body, `"hostname":`); response.StatusCode != http.StatusOK || n != count {
		return fmt.Errorf("status %d with %d databases, want %d", response.StatusCode, n, count)
	}
	return nil
}

func (f inProcessFigures) rows() []Row {
	return []Row{
		{"decode, validate, encode", "µs", microseconds(f.answer, 1), 20},
		{"decode, validate, encode", "allocations", float64(f.answer.AllocsPerOp()), 60},
		{"list of 1,000, per database, without the store's time", "µs", microseconds(f.list, listed), 20},
	}
}

func microseconds(r testing.BenchmarkResult, of int) float64 {
	return float64(r.NsPerOp()) / float64(of) / float64(time.Microsecond)
}
