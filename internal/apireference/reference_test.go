package apireference_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apireference"
	"github.com/headgate/headgate/internal/httpapi"
)

func show(t *testing.T, endpoints map[httpapi.Operation]httpapi.Endpoint) events.APIGatewayProxyResponse {
	t.Helper()
	h := httpapi.Handler{Endpoints: endpoints, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	answer, err := h.Handle(t.Context(), events.APIGatewayProxyRequest{HTTPMethod: http.MethodGet, Path: "/api/reference"})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestShow(t *testing.T) {
	t.Parallel()
	answer := show(t, map[httpapi.Operation]httpapi.Endpoint{httpapi.ShowReference: apireference.Show()})
	if answer.StatusCode != http.StatusOK || answer.Headers["Content-Type"] != "text/html; charset=utf-8" || answer.Headers["Cache-Control"] != "no-store" {
		t.Fatalf("%d, headers %v", answer.StatusCode, answer.Headers)
	}
	// Lambda's limit is 6 MiB, of the response as JSON.
	const maxBytes = 5_000_000
	if encoded, err := json.Marshal(answer); err != nil || len(encoded) > maxBytes {
		t.Errorf("the response has %d bytes (%v), want at most %d", len(encoded), err, maxBytes)
	}
}

func TestShow_Policy(t *testing.T) {
	t.Parallel()
	answer := show(t, map[httpapi.Operation]httpapi.Endpoint{httpapi.ShowReference: apireference.Show()})
	directives := map[string]string{}
	for directive := range strings.SplitSeq(answer.Headers["Content-Security-Policy"], "; ") {
		name, value, _ := strings.Cut(directive, " ")
		directives[name] = value
	}
	want := map[string]string{
		"default-src": "'none'", "img-src": "data:", "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
		"style-src": hashOf(t, answer.Body, "style"), "script-src": hashOf(t, answer.Body, "script"),
	}
	for name, value := range want {
		if directives[name] != value {
			t.Errorf("%s is %q, want %q", name, directives[name], value)
		}
	}
	if len(directives) != len(want) {
		t.Errorf("directives %v", directives)
	}
}

// hashOf returns the source expression of the only element with that name.
func hashOf(t *testing.T, body, element string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)<"+element+">(.*?)</"+element+">").FindAllStringSubmatch(body, -1)
	if len(found) != 1 {
		t.Fatalf("%d elements %s, want one", len(found), element)
	}
	sum := sha256.Sum256([]byte(found[0][1]))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func TestShow_SwitchedOff(t *testing.T) {
	t.Parallel()
	answer := show(t, map[httpapi.Operation]httpapi.Endpoint{httpapi.DescribeAPI: httpapi.Describe("https")})
	if answer.StatusCode != http.StatusNotFound || !strings.Contains(answer.Body, "no such route") {
		t.Errorf("%d %.100s, want 404", answer.StatusCode, answer.Body)
	}
}

func TestShow_OtherMethods(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		endpoints map[httpapi.Operation]httpapi.Endpoint
		status    int
		allow     string
	}{
		"a page has the method GET only":       {map[httpapi.Operation]httpapi.Endpoint{httpapi.ShowReference: apireference.Show()}, http.StatusMethodNotAllowed, http.MethodGet},
		"a page that is switched off has none": {nil, http.StatusNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := httpapi.Handler{Endpoints: tt.endpoints, Log: slog.New(slog.DiscardHandler), Now: time.Now}
			e := events.APIGatewayProxyRequest{HTTPMethod: http.MethodPost, Path: "/api/reference"}
			e.RequestContext.Authorizer = map[string]any{"account_id": "acme"}
			answer, err := h.Handle(t.Context(), e)
			if err != nil || answer.StatusCode != tt.status || answer.Headers["Allow"] != tt.allow {
				t.Errorf("%d, headers %v, error %v, want %d", answer.StatusCode, answer.Headers, err, tt.status)
			}
		})
	}
}
