package database_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func withPrimary() map[string]any { return primaryWith("port", 5433) }

func TestUpdate_FieldsSent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		from       map[string]any
		change     func(*database.Database)
		password   string
		primary    string
		probed     bool
	}{
		{"an empty object", `{}`, base(), func(*database.Database) {}, "secret-password", "", false},
		{"a new name", `{"name":"other"}`, base(), func(d *database.Database) { d.Name = "other" }, "secret-password", "", false},
		{"a new port", `{"port":6432}`, base(), func(d *database.Database) { d.Endpoint.Port = 6432 }, "secret-password", "", true},
		{"port 0", `{"port":0}`, base(), func(*database.Database) {}, "secret-password", "", false},
		{"nulls", `{"name":null,"port":null,"ssl":null,"replication_slots":null}`, base(), func(*database.Database) {}, "secret-password", "", false},
		{"a new password", `{"password":"new"}`, base(), func(*database.Database) {}, "new", "", true},
		{"the same password", `{"password":"secret-password"}`, base(), func(*database.Database) {}, "secret-password", "", false},
		{"the mask", `{"password":"************"}`, base(), func(*database.Database) {}, "secret-password", "", false},
		{"ssl off", `{"ssl":false}`, base(), func(d *database.Database) { d.Endpoint.SSL = false }, "secret-password", "", true},
		{
			"ssl off, after verify-full", `{"ssl":false}`, with(base(), "ssl_mode", "verify-full"),
			func(d *database.Database) { d.Endpoint.SSL, d.Endpoint.SSLMode = false, "" }, "secret-password", "", true,
		},
		{
			"a url", `{"url":"postgres://u2:w2@h2:7/d2"}`, base(),
			func(d *database.Database) {
				d.Endpoint = database.Endpoint{Hostname: "h2", Port: 7, Database: "d2", Username: "u2", SSL: true}
			}, "w2", "", true,
		},
		{"an empty array of slots", `{"replication_slots":[]}`, base(), func(*database.Database) {}, "secret-password", "", false},
		{
			"a slot without its id", `{"replication_slots":[{"slot_name":"other"}]}`, base(),
			func(d *database.Database) { d.Slot.SlotName = "other" }, "secret-password", "", true,
		},
		{
			"a slot's status", `{"replication_slots":[{"status":"disabled"}]}`, base(),
			func(d *database.Database) { d.Slot.Status = "disabled" }, "secret-password", "", false,
		},
		{
			"a new primary", `{"primary":{"hostname":"p","database":"d","username":"u","password":"pw"}}`, base(),
			func(d *database.Database) {
				d.Primary = &database.Endpoint{Hostname: "p", Port: 5432, Database: "d", Username: "u", SSL: true}
			}, "secret-password", "pw", true,
		},
		{
			"one field of the primary", `{"primary":{"username":"u2"}}`, withPrimary(),
			func(d *database.Database) {
				p := *d.Primary
				p.Username = "u2"
				d.Primary = &p
			}, "secret-password", "w", true,
		},
		{"the primary as it was read", `{"primary":{"hostname":"p.example.com","port":5433,"ssl":true}}`, withPrimary(), func(*database.Database) {}, "secret-password", "w", false},
		{"the primary's mask", `{"primary":{"password":"************"}}`, withPrimary(), func(*database.Database) {}, "secret-password", "w", false},
		{"primary null", `{"primary":null}`, withPrimary(), func(d *database.Database) { d.Primary = nil }, "secret-password", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			old := f.create(tt.from)
			before := len(f.prober.probed())
			u, err := f.update(old.Name, tt.body, true)
			if err != nil {
				t.Fatal(err)
			}
			want := old
			tt.change(&want)
			kept, err := f.service.Get(t.Context(), "acme", old.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range []database.Database{u.Database, kept} {
				if render(t, got) != render(t, want) {
					t.Errorf("got  %s\nwant %s", render(t, got), render(t, want))
				}
			}
			p := f.passwords(kept)
			if p.Main.Reveal() != tt.password || p.Primary.Reveal() != tt.primary {
				t.Error("the stored passwords are wrong")
			}
			if probed := len(f.prober.probed()) > before; probed != tt.probed {
				t.Errorf("probed %v, want %v", probed, tt.probed)
			}
			changed := render(t, want) != render(t, old) || tt.password != "secret-password"
			if (kept.Version > old.Version) != changed {
				t.Errorf("version %d after %d", kept.Version, old.Version)
			}
		})
	}
}

func render(t *testing.T, d database.Database) string {
	t.Helper()
	b, err := json.Marshal(d.Object())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUpdate_InvalidFields(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		from       map[string]any
		fields     []string
	}{
		{"several faults, all reported", `{"name":"a/b","port":"x","replication_slots":[{"id":"other"}],"hostnme":"h"}`, base(), []string{"name", "port", "replication_slots[0].id", "hostnme"}},
		{"two slots", `{"replication_slots":[{},{}]}`, base(), []string{"replication_slots"}},
		{"a new primary that lacks fields", `{"primary":{"hostname":"p"}}`, base(), []string{"primary.database", "primary.username", "primary.password"}},
		{"the mask for a new primary", `{"primary":{"hostname":"p","database":"d","username":"u","password":"************"}}`, base(), []string{"primary.password"}},
		{"ssl_mode where ssl is false", `{"ssl_mode":"require"}`, with(base(), "ssl", false), []string{"ssl_mode"}},
		{"an authority without verify-full", `{"ssl_root_cert":"x"}`, base(), []string{"ssl_root_cert"}},
		{"a url together with its parts", `{"url":"postgres://u:w@h/d","hostname":"h"}`, base(), []string{"hostname"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			old := f.create(tt.from)
			_, err := f.update(old.ID, tt.body, true)
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || e.Code != apierror.InvalidPayload || len(e.Fields) != len(tt.fields) {
				t.Fatalf("error %v", err)
			}
			for _, field := range tt.fields {
				if len(e.Fields[field]) == 0 {
					t.Errorf("%s has no message: %v", field, e.Fields)
				}
			}
		})
	}
}

func TestUpdate_FailedCheck(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	old := f.create(base())
	f.prober.findings = check.Report{{Name: check.ReplicationSlot, Status: check.Failed, Code: "replication_slot_not_found", Message: "m"}}
	t.Run("nothing changes", func(t *testing.T) {
		if _, err := f.update(old.ID, `{"password":"new","port":1}`, true); code(err) != "replication_slot_not_found" {
			t.Fatalf("error %v", err)
		}
		kept, err := f.service.Get(t.Context(), "acme", old.ID)
		if err != nil || kept.Version != old.Version || f.passwords(kept).Main != "secret-password" {
			t.Errorf("version %d, error %v", kept.Version, err)
		}
	})
	t.Run("verify=false does not check", func(t *testing.T) {
		u, err := f.update(old.ID, `{"password":"new"}`, false)
		if err != nil || f.passwords(u.Database).Main != "new" {
			t.Errorf("error %v", err)
		}
	})
}

func TestUpdate_StoredPasswords(t *testing.T) {
	t.Parallel()
	t.Run("are used for the probe", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		old := f.create(withPrimary())
		if _, err := f.update(old.ID, `{"hostname":"other"}`, true); err != nil {
			t.Fatal(err)
		}
		probed := f.prober.probed()
		last := probed[len(probed)-1]
		if last.Endpoint.Hostname != "other" || last.Passwords.Main != "secret-password" || last.Passwords.Primary != "w" {
			t.Error("the target was probed with other passwords")
		}
	})
}

func TestUpdate_ConcurrentWriters(t *testing.T) {
	t.Parallel()
	t.Run("user name and password are of one of them, the losers get version_conflict", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		old := f.create(base())
		const writers = 16
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i := range writers {
			body := fmt.Sprintf(`{"username":"user-%d","password":"password-%d"}`, i, i)
			wg.Go(func() { _, errs[i] = f.update(old.ID, body, true) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case code(err) != apierror.VersionConflict:
				t.Errorf("error %v", err)
			}
		}
		kept, err := f.service.Get(t.Context(), "acme", old.ID)
		if err != nil {
			t.Fatal(err)
		}
		user := strings.TrimPrefix(kept.Endpoint.Username, "user-")
		if won == 0 || kept.Version != int64(1+won) || f.passwords(kept).Main.Reveal() != "password-"+user {
			t.Errorf("%d succeeded, version %d, user %q", won, kept.Version, kept.Endpoint.Username)
		}
	})
}

func TestUpdate_Rename(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.create(base())
	second := f.create(with(base(), "name", "second"))
	t.Run("to a name of another database is name_taken", func(t *testing.T) {
		if _, err := f.update(second.ID, `{"name":"example-db"}`, true); code(err) != apierror.NameTaken {
			t.Fatalf("error %v", err)
		}
	})
	t.Run("frees the old name", func(t *testing.T) {
		if _, err := f.update(first.ID, `{"name":"renamed"}`, true); err != nil {
			t.Fatal(err)
		}
		if _, err := f.update(second.ID, `{"name":"example-db"}`, true); err != nil {
			t.Errorf("error %v", err)
		}
	})
}
