package functions_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/consumer"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// minDecodingMajor is the first version with logical decoding on a standby.
const minDecodingMajor = 16

// host is where a target's slot is, and its publication, which differ for a standby.
type host struct{ slots, publications *pgserver.Server }

// startStandby starts a standby, and its primary, of this machine's version if that
// decodes on a standby.
func startStandby(t *testing.T) host {
	t.Helper()
	installation := machine.Postgres.Installation()
	if installation.Major < minDecodingMajor {
		var err error
		if installation, err = pgserver.Install(t.Context(), pgserver.DefaultMajor); err != nil {
			t.Fatal(err)
		}
	}
	primary := pgtest.Start(t, pgserver.Options{Installation: installation})
	return host{pgtest.StartStandby(t, primary, pgserver.Options{PrimarySlot: "standby"}), primary}
}

// bare returns a payload whose publication and slot are to be made.
func (h host) bare(t *testing.T) map[string]any {
	t.Helper()
	payload, _ := bareOn(t, h.publications, "orders")
	if h.slots == h.publications {
		return payload
	}
	primary := map[string]any{}
	for _, field := range []string{"hostname", "port", "database", "username", "password"} {
		primary[field] = payload[field]
	}
	if err := pgserver.WaitForReplay(t.Context(), h.publications, h.slots); err != nil {
		t.Fatal(err)
	}
	return with(with(payload, "port", h.slots.Port()), "primary", primary)
}

// wantConsumed fails the test unless a consumer of what a create made reads an INSERT.
func (h host) wantConsumed(t *testing.T, payload map[string]any) {
	t.Helper()
	text := func(field string) string { return payload[field].(string) }
	err := consumer.Inserts(t.Context(), consumer.Source{
		Host: text("hostname"), Port: payload["port"].(int), Database: text("database"), Username: text("username"), Password: text("password"),
		Slot: slotOf(payload)["slot_name"].(string), Publications: "pub",
	}, 1, func() error {
		_, err := h.publications.Exec(t.Context(), text("database"), `INSERT INTO "o;r'ders" VALUES (1)`)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// wantLeft fails the test unless the slots of the target's database and the publications
// are as many as wanted.
func (h host) wantLeft(t *testing.T, payload map[string]any, wanted int) {
	t.Helper()
	db := payload["database"].(string)
	for what, ask := range map[string]struct {
		server *pgserver.Server
		sql    string
	}{
		"slots":        {h.slots, fmt.Sprintf("SELECT count(*) FROM pg_replication_slots WHERE database = '%s'", db)},
		"publications": {h.publications, "SELECT count(*) FROM pg_publication"},
	} {
		if out, err := ask.server.Exec(t.Context(), db, ask.sql); err != nil || out != fmt.Sprint(wanted) {
			t.Errorf("%s %s, want %d, error %v", out, what, wanted, err)
		}
	}
}

// TestConsumer_AfterCreate has consumers that begin right after a create was answered.
// `make test-matrix` runs it on every version.
func TestConsumer_AfterCreate(t *testing.T) {
	t.Parallel()
	hosts := map[string]host{"a primary": {machine.Postgres, machine.Postgres}, "a standby": startStandby(t)}
	onEach(t, func(t *testing.T, a api) {
		for name, h := range hosts {
			t.Run(name, func(t *testing.T) {
				c, payload := &client{t, a, "acme"}, h.bare(t)
				h.wantLeft(t, payload, 0)
				var made struct{ Created []string }
				c.call("POST", collection, payload, 201, &made)
				if !slices.Equal(made.Created, []string{"publication", "replication_slot"}) {
					t.Errorf("created %v", made.Created)
				}
				h.wantConsumed(t, payload)
				h.wantLeft(t, payload, 1)
				eventually(t, 20*time.Second, "the consumer's session to end", func() bool {
					out, err := h.slots.Exec(t.Context(), "postgres", fmt.Sprintf("SELECT active FROM pg_replication_slots WHERE slot_name = '%s'", slotOf(payload)["slot_name"]))
					return err == nil && out == "f"
				})
				c.call("DELETE", orders+"?drop_slot=true&drop_publication=true", nil, 200, nil)
				h.wantLeft(t, payload, 0)
			})
		}
	})
}

// TestConsumer_AfterEvent has an event that asks for a slot and a publication.
func TestConsumer_AfterEvent(t *testing.T) {
	t.Parallel()
	h := host{machine.Postgres, machine.Postgres}
	s, b := newProvisioning(t)
	f := s.function("provision-database")
	payload := h.bare(t)
	detail := s.newDetail(payload)
	missing := with(detail, "replication_slots", []any{with(slotOf(payload), "publication", map[string]any{
		"create_if_not_exists": true, "schemas": []any{"nowhere"},
	})})
	if err := invoke(t, f, requestEvent("event-0", missing), new(json.RawMessage)); err != nil {
		t.Fatal(err)
	}
	if put := b.Take(); len(put) != 1 || !contains(put[0].Detail, `"replication_slots[0].publication.schemas[0]":["`) {
		t.Errorf("a missing schema: put %+v", put)
	}
	h.wantLeft(t, payload, 0)
	for range 2 { // a repeated delivery makes nothing anew
		if err := invoke(t, f, requestEvent("event-1", detail), new(json.RawMessage)); err != nil {
			t.Fatal(err)
		}
	}
	if put := b.Take(); len(put) > 0 {
		t.Fatalf("put %+v", put)
	}
	s.wantReference()
	h.wantConsumed(t, payload)
	h.wantLeft(t, payload, 1)
}
