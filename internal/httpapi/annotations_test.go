package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func TestDatabases_Annotations(t *testing.T) {
	t.Parallel()
	const (
		collection = "/api/postgres_databases"
		one        = collection + "/n"
		odd        = `{"z":1.50,"a":"<b>&\u0041\u2028é\/","n":[12345678901234567890,-0,1E2,null,{}]}`
	)
	a := newAPI(t, newContract(t))
	created := a.call(t, http.MethodPost, collection, nil, strings.TrimSuffix(payload, "}")+`,"annotations":`+odd+`}`)
	if created.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", created.StatusCode, created.Body)
	}
	for name, response := range map[string]events.APIGatewayProxyResponse{
		"create": created,
		"get":    a.call(t, http.MethodGet, one, nil, ""),
		"list":   a.call(t, http.MethodGet, collection, nil, ""),
		"update": a.call(t, http.MethodPatch, one, nil, `{"annotations":`+odd+`}`),
	} {
		t.Run(name+" returns them as sent", func(t *testing.T) {
			if !strings.Contains(response.Body, `"annotations":`+odd+`,"`) && !strings.Contains(response.Body, `"annotations":`+odd+`}`) {
				t.Errorf("%d %s", response.StatusCode, response.Body)
			}
		})
	}
	t.Run("an object that was read can be sent back", func(t *testing.T) {
		object := a.call(t, http.MethodGet, one, nil, "").Body
		object = strings.TrimSuffix(object, "}") + `,"created":[],"secret_arn":"arn:x","health":{}}`
		response := a.call(t, http.MethodPut, one, nil, object)
		if response.StatusCode != http.StatusOK || !strings.Contains(response.Body, odd) {
			t.Errorf("%d %s", response.StatusCode, response.Body)
		}
	})
	t.Run("a database without annotations has no such field", func(t *testing.T) {
		body := strings.Replace(payload, `"name":"n"`, `"name":"plain"`, 1)
		if response := a.call(t, http.MethodPost, collection, nil, body); response.StatusCode != http.StatusCreated || strings.Contains(response.Body, "annotations") {
			t.Errorf("%d %s", response.StatusCode, response.Body)
		}
	})
}
