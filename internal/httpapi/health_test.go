package httpapi_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/httpapi"
)

// lost is a health prober that finds a lost slot.
type lost struct{ complete }

func (l *lost) CheckHealth(ctx context.Context, t database.Target, _ database.HealthLimits) (check.Report, database.SlotState, error) {
	l.findings = check.Report{check.Fail(check.ReplicationSlot, check.SlotInvalidated, "the slot is lost", "make it anew")}
	active, status, retained, lsn := false, "lost", int64(5<<30), "0/1F"
	return l.Probe(ctx, t).Report, database.SlotState{Active: &active, WALStatus: &status, RetainedBytes: &retained, ConfirmedFlushLSN: &lsn}, nil
}

func TestHandle_Health(t *testing.T) {
	t.Parallel()
	s := service(t, &complete{})
	s.HealthProber = &lost{}
	a := api{httpapi.Handler{Endpoints: httpapi.Databases{Service: s}.Endpoints(), Log: slog.New(slog.DiscardHandler), Now: now}, newContract(t), nil}
	const one = "/api/postgres_databases/n"
	if r := a.call(t, http.MethodPost, "/api/postgres_databases", nil, payload); r.StatusCode != http.StatusCreated {
		t.Fatal(r.Body)
	}
	wantHealth := func(status string) {
		t.Helper()
		include := map[string]string{"include": "health"}
		for path, query := range map[string]map[string]string{one: include, one + "/health": nil, "/api/postgres_databases": include} {
			r := a.call(t, http.MethodGet, path, query, "")
			if r.StatusCode != http.StatusOK || !strings.Contains(r.Body, status) {
				t.Errorf("%s: %d %s, want %s", path, r.StatusCode, r.Body, status)
			}
		}
	}
	wantHealth(`{"status":"unknown","since":null,"checked_at":null,"checks":[],"slot":{"active":null,"wal_status":null,` +
		`"retained_bytes":null,"safe_wal_bytes":null,"confirmed_flush_lsn":null,"inactive_since":null}}`)
	for d, err := range s.List(t.Context(), "acme", database.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		s.CheckHealth(t.Context(), []database.Ref{{Account: "acme", DatabaseID: d.Database.ID}})
	}
	wantHealth(`"slot":{"active":false,"wal_status":"lost","retained_bytes":5368709120,"safe_wal_bytes":null,"confirmed_flush_lsn":"0/1F","inactive_since":null}`)
	t.Run("without include the object has no health", func(t *testing.T) {
		for _, path := range []string{one, "/api/postgres_databases"} {
			if r := a.call(t, http.MethodGet, path, nil, ""); strings.Contains(r.Body, `"health"`) {
				t.Errorf("%s: %s", path, r.Body)
			}
		}
	})
	t.Run("an unknown value of include is its field's error", func(t *testing.T) {
		for _, path := range []string{one, "/api/postgres_databases"} {
			r := a.call(t, http.MethodGet, path, map[string]string{"include": "tables"}, "")
			if r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(r.Body, `"include":["must be \"health\""]`) {
				t.Errorf("%s: %d %s", path, r.StatusCode, r.Body)
			}
		}
	})
	t.Run("the health of an unknown database is a 404", func(t *testing.T) {
		if r := a.call(t, http.MethodGet, "/api/postgres_databases/unknown/health", nil, ""); r.StatusCode != http.StatusNotFound {
			t.Errorf("%d %s", r.StatusCode, r.Body)
		}
	})
}
