package database_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// healthProber answers with what it is given and records the limits it is called with.
// The real one is tested in package probe, and with the service in package health.
type healthProber struct {
	report check.Report
	slot   database.SlotState
	limits []database.HealthLimits
	during func()
	err    error
}

func (p *healthProber) CheckHealth(_ context.Context, _ database.Target, l database.HealthLimits) (check.Report, database.SlotState, error) {
	p.limits = append(p.limits, l)
	if p.during != nil {
		p.during()
	}
	return append(check.Report{{Name: check.Address, Status: check.Passed}}, p.report...), p.slot, p.err
}

// watched is a fixture with a registered database that is checked by a prober.
type watched struct {
	*fixture
	database database.Database
	health   *healthProber
}

func newWatched(t *testing.T, registered ...check.Entry) *watched {
	t.Helper()
	w := &watched{fixture: newFixture(t), health: &healthProber{}}
	w.service.HealthProber, w.service.HealthLimits, w.service.HealthRefresh = w.health, database.DefaultHealthLimits(), database.DefaultHealthRefresh
	w.prober.findings = registered
	w.database = w.create(base())
	return w
}

// check checks the database with these findings after 5 minutes.
func (w *watched) check(findings ...check.Entry) database.Checked {
	w.t.Helper()
	*w.clock = w.clock.Add(5 * time.Minute)
	w.health.report = findings
	checked := w.service.CheckHealth(w.t.Context(), []database.Ref{{Account: "acme", DatabaseID: w.database.ID}})
	if len(checked) != 1 || checked[0].Err != nil {
		w.t.Fatalf("checked %+v", checked)
	}
	return checked[0]
}

// known returns what the API shows.
func (w *watched) known() database.Health {
	w.t.Helper()
	_, h, err := w.service.Health(w.t.Context(), "acme", w.database.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

func bytes(n int64) database.SlotState { return database.SlotState{RetainedBytes: &n} }

func TestService_CheckHealth(t *testing.T) {
	t.Parallel()
	var (
		lagging  = check.Warn(check.ReplicationSlot, check.SlotLagging, "retains much", "")
		atRisk   = check.Warn(check.ReplicationSlot, check.SlotAtRisk, "is lost soon", "")
		noKey    = check.Warn(check.Tables, check.ReplicaIdentityMissing, "a table has no key", "").About(0, "t1")
		later    = check.Warn(check.Tables, check.ReplicaIdentityMissing, "a later table has no key", "").About(0, "t2")
		counted  = check.Warn(check.Tables, check.ReplicaIdentityMissing, "has no key; the same is true of 3 more tables", "").About(3, "t1")
		recount  = check.Warn(check.Tables, check.ReplicaIdentityMissing, "has no key; the same is true of 2 more tables", "").About(2, "t2")
		more     = check.Warn(check.Tables, check.ReplicaIdentityMissing, "has no key; the same is true of 4 more tables", "").About(4, "t1")
		behind   = check.Warn(check.ReplicationSlot, check.SlotHeldBack, "held back by s (16 MB behind)", "").About(0, "s")
		further  = check.Warn(check.ReplicationSlot, check.SlotHeldBack, "held back by s (17 MB behind)", "").About(0, "s")
		few      = check.Warn(check.WALSenders, check.WALSendersLow, "all 10 walsenders are in use", "")
		fewer    = check.Warn(check.WALSenders, check.WALSendersLow, "all 8 walsenders are in use", "")
		busy     = check.Warn(check.Tables, check.NotChecked, "a lock", "")
		refused  = check.Fail(check.Connection, check.ConnectionRefused, "refused", "")
		timedOut = check.Fail(check.Connection, check.ConnectionTimeout, "timed out", "")
	)
	type step struct {
		findings []check.Entry
		status   database.HealthStatus
		changed  bool
	}
	for name, tt := range map[string]struct {
		registered []check.Entry
		steps      []step
	}{
		"a slot that is held back, lost and made anew": {nil, []step{
			{nil, "healthy", true},
			{[]check.Entry{lagging}, "degraded", true},
			{[]check.Entry{lagging}, "degraded", false},
			{[]check.Entry{lagging, atRisk}, "degraded", false},
			{[]check.Entry{lagging}, "degraded", false},
			{[]check.Entry{lagging, atRisk}, "degraded", false},
			{[]check.Entry{check.Fail(check.ReplicationSlot, check.SlotInvalidated, "lost", "")}, "failing", true},
			{nil, "healthy", true},
		}},
		"a server that is down in several ways costs one event": {nil, []step{
			{[]check.Entry{refused}, "failing", true},
			{[]check.Entry{timedOut}, "failing", false},
			{[]check.Entry{refused}, "failing", false},
		}},
		"a warning of the registration is no news": {[]check.Entry{noKey}, []step{
			{[]check.Entry{noKey}, "healthy", true},
			{nil, "healthy", false},
			{[]check.Entry{noKey, check.Warn(check.Publication, check.PublicationEmpty, "empty", "")}, "degraded", true},
		}},
		"a warning of another table is news": {[]check.Entry{noKey}, []step{
			{[]check.Entry{noKey}, "healthy", true},
			{[]check.Entry{noKey, later}, "degraded", true},
			{[]check.Entry{later}, "degraded", false},
			{[]check.Entry{noKey}, "healthy", true},
		}},
		"of tables that are not all listed, a greater number is news": {[]check.Entry{counted}, []step{
			{[]check.Entry{counted}, "healthy", true},
			{[]check.Entry{recount}, "healthy", false},
			{[]check.Entry{more}, "degraded", true},
		}},
		"another number in a warning is no news": {[]check.Entry{few, behind}, []step{
			{[]check.Entry{few, behind}, "healthy", true},
			{[]check.Entry{fewer, further}, "healthy", false},
		}},
		"the size of the WAL is news whatever it was at the registration": {[]check.Entry{lagging}, []step{
			{[]check.Entry{lagging}, "degraded", true},
		}},
		"a part that could not be looked at degrades nothing": {nil, []step{
			{[]check.Entry{busy}, "healthy", true},
		}},
		"a warning that goes is no event while another stays": {nil, []step{
			{[]check.Entry{noKey, lagging}, "degraded", true},
			{[]check.Entry{noKey}, "degraded", false},
			{nil, "healthy", true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatched(t, tt.registered...)
			var since time.Time
			for i, s := range tt.steps {
				got := w.check(s.findings...)
				if got.Health.Status != s.status || got.Changed != s.changed {
					t.Errorf("step %d: %s, changed %v, want %s, %v", i, got.Health.Status, got.Changed, s.status, s.changed)
				}
				if found := check.Report(s.findings).Codes(); !slices.Equal(got.Health.Checks.Codes(), found) {
					t.Errorf("step %d: checks %v, want %v", i, got.Health.Checks.Codes(), found)
				}
				if i == 0 || tt.steps[i-1].status != s.status {
					since = *w.clock
				}
				if known := w.known(); known.Status != s.status || !known.Since.Equal(since) || !slices.Equal(known.Checks.Codes(), got.Health.Checks.Codes()) {
					t.Errorf("step %d: the API shows %+v, want since %s", i, known, since)
				}
			}
		})
	}
}

func TestService_CheckHealthWrites(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	writes := func(retained int64, want bool) {
		t.Helper()
		before := w.known().CheckedAt
		w.health.slot = bytes(retained)
		w.check()
		after := w.known().CheckedAt
		if wrote := before == nil || !before.Equal(*after); wrote != want {
			t.Errorf("%d bytes: written %v, want %v", retained, wrote, want)
		}
	}
	writes(1<<20, true)
	writes(2<<20, false)
	writes(100<<20, true)
	writes(120<<20, false)
	writes(130<<20, true)
	for range 11 {
		writes(140<<20, false)
	}
	writes(140<<20, true) // an hour later
}

func TestService_CheckHealthLimits(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.check(check.Warn(check.ReplicationSlot, check.SlotLagging, "", ""), check.Warn(check.ReplicationSlot, check.SlotAtRisk, "", ""))
	w.check()
	w.check()
	l := database.DefaultHealthLimits()
	want := []database.HealthLimits{l, {RetainedBytes: l.RetainedBytes / 2, SafePercent: 37}, l}
	if !slices.Equal(w.health.limits, want) {
		t.Errorf("limits %+v, want %+v", w.health.limits, want)
	}
}

func TestService_HealthOfAnotherTarget(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	wantStatus := func(want database.HealthStatus) {
		t.Helper()
		if got := w.known(); got.Status != want || (got.CheckedAt == nil) != (want == "unknown" || want == "disabled") {
			t.Errorf("health %+v, want %s", got, want)
		}
	}
	change := func(body string) {
		t.Helper()
		if _, err := w.update(w.database.ID, body, false); err != nil {
			t.Fatal(err)
		}
	}
	wantStatus("unknown")
	w.check()
	wantStatus("healthy")
	change(`{"name":"renamed"}`)
	wantStatus("healthy")
	change(`{"hostname":"other.example.com"}`)
	wantStatus("unknown")
	if got := w.check(); !got.Changed {
		t.Error("the first check of another target is no change")
	}
	change(`{"replication_slots":[{"status":"disabled"}]}`)
	wantStatus("disabled")
	if got := w.check(); !got.Skipped {
		t.Errorf("a disabled slot was checked: %+v", got)
	}
}

func TestService_CheckHealthRaces(t *testing.T) {
	t.Parallel()
	t.Run("a database deleted before the check is skipped", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t)
		w.remove()
		if got := w.check(); !got.Skipped || len(w.health.limits) != 0 {
			t.Errorf("checked %+v", got)
		}
	})
	t.Run("a database deleted during the check leaves no health", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t)
		w.health.during = w.remove
		if got := w.check(); !got.Skipped || got.Changed {
			t.Errorf("checked %+v", got)
		}
		if _, err := w.store.Catalog().Health(t.Context(), "acme", w.database.ID); apierror.KindOf(err) != apierror.NotFound {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a check for which this process was too busy does not count", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t)
		w.health.err = apierror.New(apierror.Unavailable, "busy", nil)
		got := w.service.CheckHealth(t.Context(), []database.Ref{{Account: "acme", DatabaseID: w.database.ID}})
		if apierror.KindOf(got[0].Err) != apierror.Unavailable || got[0].Changed || w.known().Status != "unknown" {
			t.Errorf("checked %+v, known %+v", got, w.known())
		}
	})
	t.Run("of two checks at once one makes the change", func(t *testing.T) {
		t.Parallel()
		w := newWatched(t)
		w.health.during = func() {
			w.health.during = nil
			w.service.CheckHealth(database.WithOrigin(t.Context(), database.Origin{RequestID: "other"}),
				[]database.Ref{{Account: "acme", DatabaseID: w.database.ID}})
		}
		if got := w.check(); got.Changed {
			t.Error("both made the change")
		}
		if r, err := w.store.Catalog().Health(t.Context(), "acme", w.database.ID); err != nil || r.RequestID != "other" {
			t.Errorf("stored %+v, error %v", r, err)
		}
	})
}

func (w *watched) remove() {
	w.t.Helper()
	if _, err := w.service.Delete(w.t.Context(), "acme", w.database.ID, database.DeleteOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func TestService_ListWithHealth(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.check()
	w.create(with(base(), "name", "another"))
	var got []database.HealthStatus
	for listed, err := range w.service.List(t.Context(), "acme", database.ListOptions{WithHealth: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, listed.Health.Status)
	}
	if want := []database.HealthStatus{"healthy", "unknown"}; !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
}

// TestService_CheckHealthOfOlder holds that a database that was registered before the
// objects of warnings were kept does not become degraded for it.
func TestService_CheckHealthOfOlder(t *testing.T) {
	t.Parallel()
	noKey := func(table string) check.Entry {
		return check.Warn(check.Tables, check.ReplicaIdentityMissing, "", "").About(0, table)
	}
	w := newWatched(t, noKey("t1"))
	older := w.database
	older.Known, older.Version, older.Change = nil, 2, "older"
	if err := w.store.Catalog().Update(t.Context(), w.database, older); err != nil {
		t.Fatal(err)
	}
	if got := w.check(noKey("t1"), noKey("t2")); got.Health.Status != database.HealthHealthy {
		t.Errorf("health %+v", got.Health)
	}
}
