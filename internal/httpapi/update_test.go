package httpapi_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/headgate/headgate/internal/check"
)

func TestUpdate_DryRun(t *testing.T) {
	t.Parallel()
	const collection = "/api/postgres_databases"
	warning := check.Warn(check.Standby, check.PrimaryNotNeeded, "m", "")
	failure := check.Fail(check.ReplicationSlot, check.SlotNotFound, "no slot", "MAKE IT")
	contract := newContract(t)
	for _, tt := range []struct {
		name     string
		findings check.Report
		query    map[string]string
		body     string
		status   int
		code     check.Code
		checks   int
	}{
		{"a target that passes", nil, map[string]string{"dry_run": "true"}, `{"port":6432}`, 200, "", 14},
		{"a target that passes with a warning", check.Report{warning}, map[string]string{"dry_run": "true"}, `{"name":"other"}`, 200, "", 14},
		{"a target that fails", check.Report{failure}, map[string]string{"dry_run": "true"}, `{}`, 422, check.SlotNotFound, 14},
		{"a target that fails, with verify=false", check.Report{failure}, map[string]string{"dry_run": "true", "verify": "false"}, `{"name":"other"}`, 422, check.SlotNotFound, 14},
		{"a bad field", nil, map[string]string{"dry_run": "true"}, `{"port":70000}`, 422, "invalid_payload", 0},
		{"a bad value", nil, map[string]string{"dry_run": "yes"}, `{"port":6432}`, 422, "invalid_payload", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, contract)
			a.call(t, http.MethodPost, collection, nil, payload)
			before := a.call(t, http.MethodGet, collection+"/n", nil, "").Body
			a.prober.findings = tt.findings
			response := a.call(t, http.MethodPatch, collection+"/n", tt.query, tt.body)
			var body struct {
				Success bool
				Code    check.Code
				Checks  check.Report
			}
			if err := json.Unmarshal([]byte(response.Body), &body); err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tt.status || body.Success != (tt.status == 200) || body.Code != tt.code || len(body.Checks) != tt.checks {
				t.Errorf("%d %s", response.StatusCode, response.Body)
			}
			if after := a.call(t, http.MethodGet, collection+"/n", nil, "").Body; after != before {
				t.Errorf("the database changed from %s to %s", before, after)
			}
		})
	}
}
