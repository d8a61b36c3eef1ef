package database_test

import (
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func TestCreate_IdempotencyKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the same payload gets the same result without a probe", func(t *testing.T) {
		probes := len(f.prober.probed())
		// The default port counts as the same value.
		again, err := f.service.Create(t.Context(), "acme", f.payload(with(base(), "port", 5432)), "key-1")
		if err != nil || again.Database.ID != first.Database.ID || again.Passwords.Main != "secret-password" {
			t.Errorf("%s, error %v", again.Database.ID, err)
		}
		if len(f.prober.probed()) != probes {
			t.Error("the target was probed")
		}
	})
	for name, other := range map[string]map[string]any{
		"another port": with(base(), "port", 1), "another password": with(base(), "password", "other"), "another name": with(base(), "name", "other"),
	} {
		t.Run(name+" is idempotency_key_reused", func(t *testing.T) {
			if _, err := f.service.Create(t.Context(), "acme", f.payload(other), "key-1"); code(err) != apierror.IdempotencyKeyReused {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("the same payload with another key is name_taken", func(t *testing.T) {
		if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-2"); code(err) != apierror.NameTaken {
			t.Errorf("error %v", err)
		}
	})
	t.Run("another account's key is another key", func(t *testing.T) {
		other, err := f.service.Create(t.Context(), "other", f.payload(base()), "key-1")
		if err != nil || other.Database.ID == first.Database.ID {
			t.Errorf("%s, error %v", other.Database.ID, err)
		}
	})
}

func TestCreate_ReplayAfterDelete(t *testing.T) {
	t.Parallel()
	t.Run("the result is returned without passwords", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		first, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.service.Delete(t.Context(), "acme", first.Database.ID, database.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		again, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
		if err != nil || again.Database.ID != first.Database.ID || again.Passwords.Main != "" {
			t.Errorf("%s, error %v", again.Database.ID, err)
		}
	})
}

func TestCreate_ReplayAfterUpdate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.update(first.Database.ID, `{"password":"new"}`, true); err != nil {
		t.Fatal(err)
	}
	t.Run("the first password is the same payload", func(t *testing.T) {
		if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1"); err != nil {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the new password is another payload", func(t *testing.T) {
		if _, err := f.service.Create(t.Context(), "acme", f.payload(with(base(), "password", "new")), "key-1"); code(err) != apierror.IdempotencyKeyReused {
			t.Errorf("error %v", err)
		}
	})
}

func TestCreate_KeyExpiry(t *testing.T) {
	t.Parallel()
	t.Run("a result is forgotten after ReplayTime", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1"); err != nil {
			t.Fatal(err)
		}
		*f.clock = f.clock.Add(database.ReplayTime + time.Second)
		if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1"); code(err) != apierror.NameTaken {
			t.Errorf("error %v", err)
		}
	})
	t.Run("an error frees the key", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.prober.findings = check.Report{{Name: "tls", Status: check.Failed, Code: "tls_failed", Message: "m"}}
		if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1"); code(err) != "tls_failed" {
			t.Fatal(err)
		}
		f.prober.findings = nil
		if _, err := f.service.Create(t.Context(), "acme", f.payload(with(base(), "port", 1)), "key-1"); err != nil {
			t.Errorf("error %v", err)
		}
	})
	t.Run("an abandoned claim is free after ClaimTime", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		abandoned := database.Claim{Account: "acme", Key: "0123", Owner: "gone", PayloadHash: "4567", ClaimedAt: *f.clock}
		if _, err := f.store.Catalog().Claim(t.Context(), abandoned); err != nil {
			t.Fatal(err)
		}
		rival := abandoned
		rival.Owner, rival.ClaimedAt = "next", abandoned.ClaimedAt.Add(database.ClaimTime-time.Second)
		if held, err := f.store.Catalog().Claim(t.Context(), rival); err != nil || held.Owner != "gone" {
			t.Errorf("before, %q holds it (%v)", held.Owner, err)
		}
		rival.ClaimedAt = abandoned.ClaimedAt.Add(database.ClaimTime + time.Second)
		if held, err := f.store.Catalog().Claim(t.Context(), rival); err != nil || held.Owner != "next" {
			t.Errorf("afterwards, %q holds it (%v)", held.Owner, err)
		}
	})
}

func TestCreate_ConcurrentWithOneKey(t *testing.T) {
	t.Parallel()
	t.Run("one of 100 registers, the others get its result or request_in_progress", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		const requests = 100
		errs, ids := make([]error, requests), make([]string, requests)
		var wg sync.WaitGroup
		for i := range requests {
			wg.Go(func() {
				c, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
				errs[i], ids[i] = err, c.Database.ID
			})
		}
		wg.Wait()
		created := map[string]bool{}
		for i, err := range errs {
			switch {
			case err == nil:
				created[ids[i]] = true
			case code(err) != apierror.RequestInProgress:
				t.Errorf("error %v", err)
			}
		}
		if len(created) != 1 || len(f.prober.probed()) != 1 {
			t.Errorf("%d databases, %d probes", len(created), len(f.prober.probed()))
		}
	})
}
