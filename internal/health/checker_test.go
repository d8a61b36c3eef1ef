package health_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/health"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// busyProber is a prober that passes every target unless it is too busy. The real one's
// part in this is tested with it.
type busyProber struct{ busy bool }

func (p *busyProber) CheckHealth(context.Context, database.Target, database.HealthLimits) (check.Report, database.SlotState, error) {
	if p.busy {
		return nil, database.SlotState{}, apierror.New(apierror.Unavailable, "busy", nil)
	}
	return check.Report{{Name: check.Address, Status: check.Passed}}, database.SlotState{}, nil
}

// TestSafety_BusyChecker holds that a check for which this process was too busy leaves
// what is known of the database, and comes again.
func TestSafety_BusyChecker(t *testing.T) {
	t.Parallel()
	store, prober := storetest.OpenLocal(t), &busyProber{}
	checker := health.Checker{Log: slog.New(slog.DiscardHandler), Service: &database.Service{
		Catalog: store.Catalog(), Vault: store.Vault(), HealthProber: prober, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}}
	d := storetest.Database("acme", "orders")
	version, err := store.Vault().Create(t.Context(), d, storetest.Passwords())
	if err != nil {
		t.Fatal(err)
	}
	d.SecretVersion = version.Version
	if err := store.Catalog().Insert(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(health.Message{Databases: []database.Ref{{Account: d.Account, DatabaseID: d.ID}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, again := range []bool{false, true} {
		prober.busy = again
		response, err := checker.Check(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: "one", Body: string(body)}}})
		if err != nil || (len(response.BatchItemFailures) == 1) != again {
			t.Errorf("busy %v: messages to try again %v, error %v", again, response.BatchItemFailures, err)
		}
		_, known, err := checker.Service.Health(t.Context(), d.Account, d.ID)
		if err != nil || known.Status != database.HealthHealthy {
			t.Errorf("busy %v: the database is %s, error %v", again, known.Status, err)
		}
	}
}
