package functions_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/gateway"
)

func TestReference(t *testing.T) {
	t.Parallel()
	for value, status := range map[string]int{"": http.StatusNotFound, "false": http.StatusNotFound, "true": http.StatusOK} {
		t.Run("API_REFERENCE="+value, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.env = append(s.env, "API_REFERENCE="+value)
			name, event, err := gateway.Event(gateway.Request{Method: http.MethodGet, Target: "/api/reference"})
			if err != nil {
				t.Fatal(err)
			}
			event.RequestContext.Authorizer = nil // no key is needed
			var answer events.APIGatewayProxyResponse
			if err := invoke(t, s.function(name), event, &answer); err != nil {
				t.Fatal(err)
			}
			page := strings.HasPrefix(answer.Headers["Content-Type"], "text/html") && strings.Contains(answer.Headers["Content-Security-Policy"], "default-src 'none'")
			if answer.StatusCode != status || page != (status == http.StatusOK) {
				t.Errorf("%d, headers %v, want %d", answer.StatusCode, answer.Headers, status)
			}
		})
	}
}
