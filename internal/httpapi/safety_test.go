package httpapi_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/redact"
)

// TestSafety_ListOfLargeItems has items that an earlier version stored with too many
// warnings.
func TestSafety_ListOfLargeItems(t *testing.T) {
	t.Parallel()
	h, _ := listing(t, 3, func(d *database.Database) {
		for range 100 {
			d.Warnings = append(d.Warnings, check.Warning{Name: check.Tables, Code: check.TablesUnreadable, Message: strings.Repeat(`"`, 65_000), Fix: strings.Repeat(`\`, 65_000)})
		}
	})
	if page := getList(t, h, nil); len(page.Data) != 3 {
		t.Errorf("%d databases", len(page.Data))
	}
}

// TestSafety_LargestObject registers what takes the most room in an object and an item.
func TestSafety_LargestObject(t *testing.T) {
	t.Parallel()
	d := database.Database{
		Name:        strings.Repeat("n", 255),
		Annotations: `{"a":"` + strings.Repeat(`\"`, 4000) + `"}`,
		Endpoint: database.Endpoint{
			Hostname: strings.Repeat("h", 253), Database: strings.Repeat(`"`, 63), Username: strings.Repeat("<", 63),
			SSLMode: "verify-full", SSLRootCert: strings.Repeat("\n", 16<<10), PasswordSecretARN: strings.Repeat("a", 640),
		},
	}
	primary := d.Endpoint
	d.Primary = &primary
	for range 500 {
		d.Warnings = append(d.Warnings, check.Warning{Message: strings.Repeat(`"`, 500), Fix: strings.Repeat("<", 500)})
	}
	d.Warnings = check.BoundedWarnings(d.Warnings)
	item, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if size := check.SentSize(d.Object()); size > 256<<10 {
		t.Errorf("the object has %d bytes as sent", size)
	}
	if len(item) > 380<<10 {
		t.Errorf("the item has %d bytes", len(item))
	}
}

// TestSafety_CallersTextInErrors sends names that a terminal could take for commands.
func TestSafety_CallersTextInErrors(t *testing.T) {
	t.Parallel()
	h := httpapi.Handler{Endpoints: httpapi.Databases{Service: service(t, passing{})}.Endpoints(), Log: slog.New(slog.DiscardHandler), Now: now}
	const odd = `\u202e\u0003\n\\! id\u2028\ufeff`
	for _, body := range []string{
		`{"` + odd + `":1,"name":"` + odd + `"}`, `{"` + odd + `":1,"` + odd + `":2}`, `{"annotations":{"` + odd + `":1,"` + odd + `":1}}`,
		`{"replication_slots":[{"` + odd + `":1}],"primary":{"` + odd + `":1}}`, `{"ssl_mode":"` + odd + `","url":"postgres://` + odd + `"}`,
	} {
		response, err := h.Handle(t.Context(), event(func(e *events.APIGatewayProxyRequest) { e.Body = body }))
		if err != nil || response.StatusCode != http.StatusUnprocessableEntity && response.StatusCode != http.StatusBadRequest {
			t.Fatalf("%d, %v", response.StatusCode, err)
		}
		var answer any
		if err := json.Unmarshal([]byte(response.Body), &answer); err != nil {
			t.Fatal(err)
		}
		wantDisplayable(t, answer)
	}
}

// wantDisplayable fails the test if a text in a JSON value could be taken for another.
func wantDisplayable(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
		if strings.ContainsFunc(v, func(r rune) bool { return !redact.Displayable(r) }) {
			t.Errorf("%q is not displayable", v)
		}
	case []any:
		for _, e := range v {
			wantDisplayable(t, e)
		}
	case map[string]any:
		for k, e := range v {
			wantDisplayable(t, k)
			wantDisplayable(t, e)
		}
	}
}
