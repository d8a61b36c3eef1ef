package httpapi_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
	"github.com/headgate/headgate/internal/testkit/openapitest"
)

// api is every endpoint over one service. Each exchange is held against the
// OpenAPI document.
type api struct {
	handler  httpapi.Handler
	contract *openapitest.Contract
	prober   *complete
}

func newAPI(t *testing.T, contract *openapitest.Contract) api {
	t.Helper()
	prober := &complete{}
	endpoints := httpapi.Databases{Service: service(t, prober)}.Endpoints()
	return api{httpapi.Handler{Endpoints: endpoints, Log: slog.New(slog.DiscardHandler), Now: now}, contract, prober}
}

func newContract(t *testing.T) *openapitest.Contract {
	t.Helper()
	contract, err := openapitest.New()
	if err != nil {
		t.Fatal(err)
	}
	return contract
}

func (a api) call(t *testing.T, method, path string, query map[string]string, body string) events.APIGatewayProxyResponse {
	t.Helper()
	e := event(func(e *events.APIGatewayProxyRequest) {
		e.HTTPMethod, e.Path, e.Resource, e.QueryStringParameters, e.Body = method, path, "", query, body
	})
	response, err := a.handler.Handle(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	a.contract.Event(t, e, response)
	return response
}

// complete is a prober whose reports have every check, as the contract says.
type complete struct{ findings check.Report }

func (p *complete) Probe(context.Context, database.Target) database.Examination {
	var report check.Report
	for _, name := range check.Names() {
		e := check.Entry{Name: name, Status: check.Passed}
		for _, finding := range p.findings {
			if finding.Name == name {
				e = finding
			}
		}
		report = append(report, e)
	}
	return database.Examination{Report: report}
}

func (p *complete) RefreshTables(context.Context, database.Target, func(database.Table) bool) database.Examination {
	return database.Examination{Report: p.findings}
}
