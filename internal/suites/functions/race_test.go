package functions_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/awsenv/targets"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/testkit/deployment"
	"github.com/headgate/headgate/internal/testkit/storetest"
)

// service returns the stack's service, which runs in this process.
func (s *stack) service() *database.Service {
	s.t.Helper()
	service, err := targets.Open(awsenv.New(deployment.Lookup(s.env)), slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	return service
}

// localService returns a service with the local store.
func localService(t *testing.T) *database.Service {
	t.Helper()
	store := storetest.OpenLocal(t)
	policy, err := egress.New("127.0.0.0/8", "")
	if err != nil {
		t.Fatal(err)
	}
	return &database.Service{
		Catalog: store.Catalog(), Vault: store.Vault(), Prober: probe.New(policy), Maker: probe.New(policy), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

// wins returns how many errors are nil and fails the test for one that lost does
// not accept.
func wins(t *testing.T, errs []error, lost func(error) bool) int {
	t.Helper()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !lost(err):
			t.Errorf("a rival's error is %v", err)
		}
	}
	return won
}

// withCode returns a function that reports whether an error has the code.
func withCode(code check.Code) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*apierror.Error](err)
		return ok && e.Code == code
	}
}

func parse(t *testing.T, payload map[string]any) database.Payload {
	t.Helper()
	p, err := database.ParsePayload(encode(t, payload))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestService_ConcurrentCreates(t *testing.T) {
	t.Parallel()
	wantOne := func(t *testing.T, service *database.Service) {
		t.Helper()
		payload := parse(t, newSource(t, "orders"))
		errs := storetest.Race(32, func(int) error {
			_, err := service.Create(t.Context(), "acme", payload, "")
			return err
		})
		if won := wins(t, errs, withCode(apierror.NameTaken)); won != 1 {
			t.Errorf("%d creates succeed, want 1", won)
		}
	}
	t.Run("of 32 on moto one succeeds and leaves one secret", func(t *testing.T) {
		t.Parallel()
		s := newStack(t)
		wantOne(t, s.service())
		s.wantOne()
	})
	t.Run("of 32 on the local store one succeeds", func(t *testing.T) {
		t.Parallel()
		wantOne(t, localService(t))
	})
	t.Run("100 with one idempotency key create one database", func(t *testing.T) {
		t.Parallel()
		s := newStack(t)
		service, payload := s.service(), parse(t, newSource(t, "orders"))
		ids := make([]string, 100)
		errs := storetest.Race(len(ids), func(i int) error {
			created, err := service.Create(t.Context(), "acme", payload, "once")
			ids[i] = created.Database.ID
			return err
		})
		wins(t, errs, withCode(apierror.RequestInProgress))
		made := map[string]bool{}
		for i, id := range ids {
			if errs[i] == nil {
				made[id] = true
			}
		}
		if len(made) != 1 {
			t.Errorf("IDs %v, want one", made)
		}
		s.wantOne()
	})
}

func TestService_ConcurrentUpdates(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) *database.Service{
		"on moto":            func(t *testing.T) *database.Service { return newStack(t).service() },
		"on the local store": localService,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := open(t)
			created, err := service.Create(t.Context(), "acme", parse(t, newSource(t, "orders")), "")
			if err != nil {
				t.Fatal(err)
			}
			updateAtOnce(t, service, created.Database)
		})
	}
}

// updateAtOnce sends 16 updates of one database at once, each with its own role
// and password. Afterwards the stored role and password must belong together.
func updateAtOnce(t *testing.T, service *database.Service, d database.Database) {
	t.Helper()
	const rivals = 16
	patches := make([]database.Patch, rivals)
	for i := range patches {
		execute(t, "postgres", fmt.Sprintf("CREATE ROLE %s_%d LOGIN REPLICATION PASSWORD 'password-%d'", d.Endpoint.Username, i, i))
		var err error
		patches[i], err = database.ParsePatch(fmt.Appendf(nil, `{"username":"%s_%d","password":"password-%d"}`, d.Endpoint.Username, i, i))
		if err != nil {
			t.Fatal(err)
		}
	}
	won := wins(t, storetest.Race(rivals, func(i int) error {
		_, err := service.Update(t.Context(), "acme", d.ID, patches[i], true)
		return err
	}), func(err error) bool { return apierror.KindOf(err) == apierror.Conflict })
	report, err := service.TestConnection(t.Context(), "acme", d.ID)
	if err != nil {
		t.Fatal(err)
	}
	failure, failed := report.FirstFailure()
	stored, err := service.Get(t.Context(), "acme", d.ID)
	if err != nil || failed || won == 0 || stored.Version != int64(1+won) {
		t.Errorf("%d updates succeed, version %d, failed check %q, error %v", won, stored.Version, failure.Code, err)
	}
}
