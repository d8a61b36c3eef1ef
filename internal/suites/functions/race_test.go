package functions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/targets"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/probe"
)

func TestRacingCreatesOfOneNameMakeOneDatabase(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	race(t, s.service())
	if n := len(s.secrets()); n != 1 {
		t.Errorf("%d secrets, want 1", n)
	}
	if n := strings.Count(s.dump(), `"database#`); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
}

// ordersPayload is the payload that registers a source of its own as orders.
func ordersPayload(t *testing.T) database.Payload {
	t.Helper()
	body, err := json.Marshal(source(t, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := database.ParsePayload(body)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// race sends 32 creates of one name at once: one may win.
func race(t *testing.T, service *database.Service) {
	t.Helper()
	payload := ordersPayload(t)
	const rivals = 32
	errs := make([]error, rivals)
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() { _, errs[i] = service.Create(t.Context(), "acme", payload, "") })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !taken(err):
			t.Errorf("a rival was refused by %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d creates won, want 1", won)
	}
}

func TestRacingCreatesOnTheLocalStoreMakeOneDatabase(t *testing.T) {
	t.Parallel()
	race(t, onLocalStore(t))
}

func taken(err error) bool {
	e, ok := errors.AsType[*apierror.Error](err)
	return ok && e.Code == apierror.NameTaken
}

// service is the stack's service in this process.
func (s *stack) service() *database.Service {
	s.t.Helper()
	service, err := targets.Open(awsenv.New(s.lookup), slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	return service
}

func onLocalStore(t *testing.T) *database.Service {
	t.Helper()
	store, err := localstore.Open(filepath.Join(t.TempDir(), "headgate.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	policy, err := egress.New("127.0.0.0/8", "")
	if err != nil {
		t.Fatal(err)
	}
	return &database.Service{
		Catalog: store.Catalog(), Vault: store.Vault(), Prober: probe.New(policy), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

func TestOfRacingUpdatesTheLastIsWholeAndOpensTheTarget(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]func(*testing.T) *database.Service{
		"on moto":            func(t *testing.T) *database.Service { return newStack(t).service() },
		"on the local store": onLocalStore,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := on(t)
			payload := source(t, "orders")
			body, err := json.Marshal(payload)
			if err != nil {
				t.Fatal(err)
			}
			p, err := database.ParsePayload(body)
			if err != nil {
				t.Fatal(err)
			}
			made, err := service.Create(t.Context(), "acme", p, "")
			if err != nil {
				t.Fatal(err)
			}
			updateAtOnce(t, service, made.Database, payload["database"].(string))
		})
	}
}

// updateAtOnce sends 16 updates to one database, each with a role and a password
// of its own.
func updateAtOnce(t *testing.T, service *database.Service, d database.Database, db string) {
	t.Helper()
	const rivals = 16
	for i := range rivals {
		execute(t, db, fmt.Sprintf("CREATE ROLE %s_%d LOGIN REPLICATION PASSWORD 'password-%d'", d.Endpoint.Username, i, i))
	}
	errs := make([]error, rivals)
	var wg sync.WaitGroup
	for i := range rivals {
		p, err := database.ParsePatch(fmt.Appendf(nil, `{"username":"%s_%d","password":"password-%d"}`, d.Endpoint.Username, i, i))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _, errs[i] = service.Update(t.Context(), "acme", d.ID, p, true) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case apierror.KindOf(err) != apierror.Conflict:
			t.Errorf("a rival was refused by %v", err)
		}
	}
	report, err := service.TestConnection(t.Context(), "acme", d.ID)
	if err != nil {
		t.Fatal(err)
	}
	failure, failed := report.FirstFailure()
	kept, err := service.Get(t.Context(), "acme", d.ID)
	if err != nil || failed || won == 0 || kept.Version != int64(1+won) {
		t.Errorf("%d won, version %d, and the target says %s (%v)", won, kept.Version, failure.Code, err)
	}
}

func TestAHundredRacingCreatesWithOneKeyOnMotoMakeOneDatabase(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	service := s.service()
	payload := ordersPayload(t)
	const rivals = 100
	errs, ids := make([]error, rivals), make([]string, rivals)
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() {
			made, err := service.Create(t.Context(), "acme", payload, "once")
			errs[i], ids[i] = err, made.Database.ID
		})
	}
	wg.Wait()
	made := map[string]bool{}
	for i, err := range errs {
		e, ok := errors.AsType[*apierror.Error](err)
		switch {
		case err == nil:
			made[ids[i]] = true
		case !ok || e.Code != apierror.RequestInProgress:
			t.Errorf("a rival was refused by %v", err)
		}
	}
	if len(made) != 1 || len(s.secrets()) != 1 || strings.Count(s.dump(), `"database#`) != 1 {
		t.Errorf("made %v, secrets %v", made, s.secrets())
	}
}
