package database_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func (f *fixture) dryRunUpdate(ref, body string) (check.Report, error) {
	f.t.Helper()
	p, err := database.ParsePatch([]byte(body))
	if err != nil {
		f.t.Fatal(err)
	}
	return f.service.DryRunUpdate(f.t.Context(), "acme", ref, p, true)
}

func TestDryRunUpdate_Probe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body     string
		hostname, main string
		primary        string
	}{
		{"nothing changes", `{}`, "db.example.com", "secret-password", "w"},
		{"the name changes", `{"name":"other"}`, "db.example.com", "secret-password", "w"},
		{"the annotations change", `{"annotations":{"a":1}}`, "db.example.com", "secret-password", "w"},
		{"the host changes", `{"hostname":"other.example.com"}`, "other.example.com", "secret-password", "w"},
		{"a password changes", `{"password":"new"}`, "db.example.com", "new", "w"},
		{"the mask is sent", `{"password":"************"}`, "db.example.com", "secret-password", "w"},
		{"the primary is removed", `{"primary":null}`, "db.example.com", "secret-password", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			old := f.create(withPrimary())
			report, err := f.dryRunUpdate(old.ID, tt.body)
			if err != nil || len(report) == 0 {
				t.Fatalf("report %v, error %v", report, err)
			}
			probed := f.prober.probed()
			last := probed[len(probed)-1]
			if len(probed) != 2 || last.Endpoint.Hostname != tt.hostname || string(last.Passwords.Main) != tt.main || string(last.Passwords.Primary) != tt.primary {
				t.Errorf("%d probes, the last of %+v", len(probed), last.Endpoint)
			}
			kept, err := f.service.Get(t.Context(), "acme", old.ID)
			if err != nil || render(t, kept) != render(t, old) || kept.Version != old.Version || f.passwords(kept).Main != "secret-password" {
				t.Errorf("the database changed to %s, error %v", render(t, kept), err)
			}
		})
	}
}

func TestDryRunUpdate_Refused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		failing    bool
		want       check.Code
	}{
		{"a failed check, even if nothing changes", `{}`, true, check.SlotNotFound},
		{"a name that is taken", `{"name":"taken"}`, false, apierror.NameTaken},
		{"a bad field", `{"port":"x"}`, false, apierror.InvalidPayload},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			old := f.create(base())
			f.create(with(base(), "name", "taken"))
			if tt.failing {
				f.prober.findings = check.Report{check.Fail(check.ReplicationSlot, check.SlotNotFound, "m", "f")}
			}
			if _, err := f.dryRunUpdate(old.ID, tt.body); code(err) != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	t.Run("another account's database", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		if _, err := f.dryRunUpdate("nowhere", `{}`); apierror.KindOf(err) != apierror.NotFound {
			t.Errorf("error %v", err)
		}
	})
}

func TestCreate_SummaryOfRefusedTarget(t *testing.T) {
	t.Parallel()
	slot := func(fix string) check.Entry {
		return check.Fail(check.ReplicationSlot, check.SlotNotFound, "there is no slot", fix)
	}
	level := func(fix string) check.Entry {
		return check.Fail(check.WALLevel, check.WALLevelNotLogical, "wal_level is replica", fix)
	}
	for _, tt := range []struct {
		name     string
		findings check.Report
		want     string
	}{
		{"one failure", check.Report{slot("MAKE IT")}, ": there is no slot; fix: MAKE IT"},
		{"one failure without a fix", check.Report{slot("")}, ": there is no slot"},
		{"two failures", check.Report{level("SET IT"), slot("MAKE IT")}, ", for 2 reasons; the first: wal_level is replica; fix: SET IT"},
		{"only the second has a fix", check.Report{level(""), slot("MAKE IT")}, ", for 2 reasons; the first: wal_level is replica; fix for replication_slot: MAKE IT"},
		{"the fix of a warning does not count", check.Report{check.Warn(check.Standby, "c", "m", "NO"), slot("")}, ": there is no slot"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.prober.findings = tt.findings
			_, err := f.service.Create(t.Context(), "acme", f.payload(base()), "")
			if err == nil || !strings.HasSuffix(err.Error(), "used as a source yet"+tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
