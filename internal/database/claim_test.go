package database_test

import (
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func TestAnIdempotencyKeyIsAnsweredOnceMadeAndThenRepeated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
	if err != nil {
		t.Fatal(err)
	}
	probes := len(f.prober.asked())
	again, err := f.service.Create(t.Context(), "acme", f.payload(with(base(), "port", 5432)), "key-1")
	if err != nil || again.Database.ID != first.Database.ID || again.Passwords.Main != "secret-password" {
		t.Fatalf("a replay: %v", err)
	}
	if len(f.prober.asked()) != probes {
		t.Error("a replay was probed")
	}
	for name, other := range map[string]map[string]any{
		"another port": with(base(), "port", 1), "another password": with(base(), "password", "other"), "another name": with(base(), "name", "other"),
	} {
		if _, err := f.service.Create(t.Context(), "acme", f.payload(other), "key-1"); code(err) != apierror.IdempotencyKeyReused {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-2"); code(err) != apierror.NameTaken {
		t.Errorf("another key: %v", err)
	}
	other, err := f.service.Create(t.Context(), "other", f.payload(base()), "key-1")
	if err != nil || other.Database.ID == first.Database.ID {
		t.Errorf("another account's same key: %v", err)
	}
}

func TestAReplayAfterADeleteIsTheRecordedAnswerWithoutPasswords(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.service.Delete(t.Context(), "acme", first.Database.ID); err != nil {
		t.Fatal(err)
	}
	again, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
	if err != nil || again.Database.ID != first.Database.ID || again.Passwords.Main != "" {
		t.Errorf("a replay: %v", err)
	}
}

func TestAReplayAfterAnUpdateComparesTheFirstPasswords(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.update(first.Database.ID, `{"password":"new"}`, true); err != nil {
		t.Fatal(err)
	}
	if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1"); err != nil {
		t.Errorf("the first password: %v", err)
	}
	if _, err := f.service.Create(t.Context(), "acme", f.payload(with(base(), "password", "new")), "key-1"); code(err) != apierror.IdempotencyKeyReused {
		t.Errorf("the new password: %v", err)
	}
}

func TestAKeyIsForgottenAfterADay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1"); err != nil {
		t.Fatal(err)
	}
	*f.clock = f.clock.Add(database.ReplayTime + time.Second)
	if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1"); code(err) != apierror.NameTaken {
		t.Errorf("after a day: %v", err)
	}
}

func TestARefusedCreateFreesItsKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.prober.findings = check.Report{{Name: "tls", Status: check.Failed, Code: "tls_failed", Message: "m"}}
	if _, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1"); code(err) != "tls_failed" {
		t.Fatal(err)
	}
	f.prober.findings = nil
	if _, err := f.service.Create(t.Context(), "acme", f.payload(with(base(), "port", 1)), "key-1"); err != nil {
		t.Errorf("the next try: %v", err)
	}
}

func TestAnAbandonedClaimIsFreeAfterAMinute(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	abandoned := database.Claim{Account: "acme", Key: "0123", Owner: "gone", PayloadHash: "4567", ClaimedAt: *f.clock}
	if _, err := f.store.Catalog().Claim(t.Context(), abandoned); err != nil {
		t.Fatal(err)
	}
	rival := abandoned
	rival.Owner, rival.ClaimedAt = "next", abandoned.ClaimedAt.Add(database.ClaimTime-time.Second)
	if held, err := f.store.Catalog().Claim(t.Context(), rival); err != nil || held.Owner != "gone" {
		t.Errorf("within the minute it is %q's (%v)", held.Owner, err)
	}
	rival.ClaimedAt = abandoned.ClaimedAt.Add(database.ClaimTime + time.Second)
	if held, err := f.store.Catalog().Claim(t.Context(), rival); err != nil || held.Owner != "next" {
		t.Errorf("after a minute it is %q's (%v)", held.Owner, err)
	}
}

func TestAHundredRequestsWithOneKeyMakeOneDatabase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const rivals = 100
	errs, ids := make([]error, rivals), make([]string, rivals)
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() {
			c, err := f.service.Create(t.Context(), "acme", f.payload(base()), "key-1")
			errs[i], ids[i] = err, c.Database.ID
		})
	}
	wg.Wait()
	made := map[string]bool{}
	for i, err := range errs {
		switch {
		case err == nil:
			made[ids[i]] = true
		case code(err) != apierror.RequestInProgress:
			t.Errorf("a rival was refused by %v", err)
		}
	}
	if len(made) != 1 || len(f.prober.asked()) != 1 {
		t.Errorf("%d databases, %d probes", len(made), len(f.prober.asked()))
	}
}
