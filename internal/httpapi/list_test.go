package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
)

// The limits of a response: the contract's for a list, and Lambda's for all of it.
const (
	maxListBytes     = 5_000_000
	maxResponseBytes = 6 << 20
)

// bigCatalog lists databases that were not inserted one by one. It counts those
// that it returns.
type bigCatalog struct {
	database.Catalog
	all  []database.Database
	read int
}

func (c *bigCatalog) List(_ context.Context, _, after string, limit int) ([]database.Database, error) {
	from := sort.Search(len(c.all), func(i int) bool { return c.all[i].ID > after })
	found := c.all[from:min(from+limit, len(c.all))]
	c.read += len(found)
	return found, nil
}

// listing returns the endpoints of all operations over n databases, and their
// catalog.
func listing(t *testing.T, n int, change func(*database.Database)) (*httpapi.Handler, *bigCatalog) {
	t.Helper()
	s := service(t, passing{})
	catalog := &bigCatalog{Catalog: s.Catalog}
	for i := range n {
		d := database.Database{
			ID: fmt.Sprintf("01980f3e-6c1b-7a52-9d0e-%012x", i), Account: "acme", Name: fmt.Sprintf("database-%d", i),
			Endpoint: database.Endpoint{Hostname: "db.example.com", Port: 5432, Database: "postgres", Username: "postgres", SSL: true},
			Slot:     database.Slot{ID: "01980f3e-6c1b-7a52-9d0e-3b6f1c2a4e11", PublicationName: "p", SlotName: "s", Status: "active"},
		}
		change(&d)
		catalog.all = append(catalog.all, d)
	}
	s.Catalog = catalog
	return &httpapi.Handler{Endpoints: httpapi.Databases{Service: s}.Endpoints(), Log: slog.New(slog.DiscardHandler), Now: now}, catalog
}

type listed struct {
	Data       []struct{ ID string }
	NextCursor string `json:"next_cursor"`
}

// getList calls GET /api/postgres_databases, and checks the size of the response.
func getList(t *testing.T, h *httpapi.Handler, query map[string]string) listed {
	t.Helper()
	response, err := h.Handle(t.Context(), event(func(e *events.APIGatewayProxyRequest) {
		e.HTTPMethod, e.Body, e.QueryStringParameters = http.MethodGet, "", query
	}))
	if err != nil {
		t.Fatal(err)
	}
	var body listed
	if err := json.Unmarshal([]byte(response.Body), &body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d, error %v", response.StatusCode, err)
	}
	checkSize(t, response)
	return body
}

func checkSize(t *testing.T, response events.APIGatewayProxyResponse) {
	t.Helper()
	whole, err := json.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	const envelope = 1000 // of the body
	if len(response.Body) > maxListBytes+envelope || len(whole) > maxResponseBytes {
		t.Errorf("the body has %d bytes, the response %d", len(response.Body), len(whole))
	}
}

func TestList_Size(t *testing.T) {
	t.Parallel()
	const n = 15_000
	tests := []struct {
		name   string
		change func(*database.Database)
	}{
		{"ordinary databases", func(*database.Database) {}},
		{"names of quotation marks and backslashes", func(d *database.Database) {
			d.Endpoint.Database, d.Endpoint.Username = strings.Repeat(`"`, 63), strings.Repeat(`\`, 63)
		}},
		{"certificates", func(d *database.Database) { d.Endpoint.SSLRootCert = strings.Repeat("0123456789abcde\n", 20) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, catalog := listing(t, n, tt.change)
			seen := map[string]bool{}
			query := map[string]string{}
			for pages := 1; ; pages++ {
				before := catalog.read
				page := getList(t, h, query)
				for _, d := range page.Data {
					seen[d.ID] = true
				}
				if read := catalog.read - before; read > len(page.Data)+1000 {
					t.Errorf("%d databases were read for a page of %d", read, len(page.Data))
				}
				if page.NextCursor == "" {
					if pages < 2 {
						t.Error("all of them were in one page")
					}
					break
				}
				query["cursor"] = page.NextCursor
			}
			if len(seen) != n {
				t.Errorf("%d databases were listed, want %d", len(seen), n)
			}
		})
	}
}

func TestList_Limit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		limit, n      int
		pages, listed int
	}{
		{"no databases", 10, 0, 1, 0},
		{"fewer than the limit", 10, 9, 1, 9},
		{"as many as the limit", 10, 10, 1, 10},
		{"one more than the limit", 10, 11, 2, 11},
		{"the largest limit", 1000, 2500, 3, 2500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, catalog := listing(t, tt.n, func(*database.Database) {})
			query := map[string]string{"limit": strconv.Itoa(tt.limit)}
			pages, total := 0, 0
			for more := true; more; pages++ {
				page := getList(t, h, query)
				if len(page.Data) > tt.limit {
					t.Errorf("a page of %d", len(page.Data))
				}
				total += len(page.Data)
				query["cursor"] = page.NextCursor
				more = page.NextCursor != ""
			}
			if pages != tt.pages || total != tt.listed || catalog.read > tt.n+tt.pages {
				t.Errorf("%d databases in %d pages by reading %d", total, pages, catalog.read)
			}
		})
	}
}

// publishing is a prober whose targets have that many tables of one name.
type publishing struct {
	passing
	name string
	n    int
}

func (p publishing) RefreshTables(_ context.Context, _ database.Target, add func(database.Table) bool) database.Examination {
	for range p.n {
		if !add(database.Table{Schema: "public", Name: p.name, ReplicaIdentity: "default"}) {
			break
		}
	}
	return database.Examination{}
}

func TestRefreshTables_Size(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		n         int
		table     string
		truncated bool
	}{
		{"no table", 0, "", false},
		{"some tables", 1000, "t", false},
		{"many tables with odd names", 55_000, strings.Repeat(`"`, 63), true},
		{"200,000 tables", 200_000, "t", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := service(t, publishing{name: tt.table, n: tt.n})
			h := httpapi.Handler{Endpoints: httpapi.Databases{Service: s}.Endpoints(), Log: slog.New(slog.DiscardHandler), Now: now}
			call := func(path string) events.APIGatewayProxyResponse {
				response, err := h.Handle(t.Context(), event(func(e *events.APIGatewayProxyRequest) { e.Path, e.Resource = path, "" }))
				if err != nil {
					t.Fatal(err)
				}
				return response
			}
			call("/api/postgres_databases")
			response := call("/api/postgres_databases/n/refresh_tables")
			var body struct {
				Tables    []json.RawMessage
				Truncated bool
			}
			if err := json.Unmarshal([]byte(response.Body), &body); err != nil || response.StatusCode != http.StatusOK || body.Tables == nil {
				t.Fatalf("%d %.200s, error %v", response.StatusCode, response.Body, err)
			}
			checkSize(t, response)
			if body.Truncated != tt.truncated || !tt.truncated && len(body.Tables) != tt.n {
				t.Errorf("%d tables, truncated %v", len(body.Tables), body.Truncated)
			}
		})
	}
}
