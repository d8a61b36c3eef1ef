package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/eventbus"
	"github.com/headgate/headgate/internal/publish"
)

// stores is a catalog with these deleted databases, or returns err.
type stores struct {
	deleted map[string]database.Database
	err     error
}

func (s *stores) Deleted(_ context.Context, _, id string) (database.Database, error) {
	d, ok := s.deleted[id]
	if s.err == nil && !ok {
		return d, apierror.OfStore(apierror.NotFound, nil)
	}
	return d, s.err
}

// bus takes events, but not those whose request's ID is a key of refusals.
type bus struct {
	refusals map[string]error
	requests [][]eventbus.Event
	taken    []publish.Detail
	types    []string
}

func (b *bus) PutAll(_ context.Context, events []eventbus.Event) []error {
	b.requests = append(b.requests, events)
	var errs []error
	for _, e := range events {
		var d publish.Detail
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			panic(err)
		}
		err := b.refusals[d.RequestID]
		if errs = append(errs, err); err == nil {
			b.taken, b.types = append(b.taken, d), append(b.types, e.DetailType)
		}
	}
	return errs
}

// letters keeps dead letters, or returns err.
type letters struct {
	sent []string
	err  error
}

func (l *letters) Send(_ context.Context, record []byte, _ error) error {
	if l.err == nil {
		l.sent = append(l.sent, string(record))
	}
	return l.err
}

type fixture struct {
	stores   stores
	bus      bus
	letters  letters
	sequence int
}

func newFixture() *fixture {
	return &fixture{
		stores: stores{deleted: map[string]database.Database{}},
		bus:    bus{refusals: map[string]error{}},
	}
}

var now = time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)

func sample(id, change string) database.Database {
	return database.Database{
		ID: id, Account: "acme", Name: "orders", Change: change, UpdatedAt: now,
		ChangedBy:     database.Origin{RequestID: "request-" + change, KeyID: "key"},
		SecretVersion: "v1", SecretARN: "arn:secret", Slot: database.Slot{SlotName: "s"},
		Endpoint: database.Endpoint{Hostname: "h", Port: 5432}, Annotations: `{"n": 1.0}`,
	}
}

func (f *fixture) record(sk string, before, after any) json.RawMessage {
	f.sequence++
	change := map[string]any{
		"Keys":           map[string]any{"PK": map[string]string{"S": "account#acme"}, "SK": map[string]string{"S": sk}},
		"SequenceNumber": fmt.Sprint(f.sequence), "ApproximateCreationDateTime": "2030-01-02T03:04:05+00:00",
	}
	for name, document := range map[string]any{"OldImage": before, "NewImage": after} {
		if document == nil {
			continue
		}
		text, ok := document.(string)
		if !ok {
			encoded, err := json.Marshal(document)
			if err != nil {
				panic(err)
			}
			text = string(encoded)
		}
		change[name] = map[string]any{"document": map[string]string{"S": text}, "version": map[string]string{"N": "1"}}
	}
	text, err := json.Marshal(map[string]any{"eventName": "MODIFY", "dynamodb": change})
	if err != nil {
		panic(err)
	}
	return text
}

func (f *fixture) created(id string) json.RawMessage {
	return f.record("database#"+id, nil, sample(id, id))
}

// publish returns the sequence number from which the batch has to come again.
// renamed returns the record of an update of a database that created returns.
func (f *fixture) renamed(id string) json.RawMessage {
	next := sample(id, id+"-2")
	next.Name = "renamed"
	return f.record("database#"+id, sample(id, id), next)
}

func (f *fixture) publish(t *testing.T, records ...json.RawMessage) (string, error) {
	t.Helper()
	p := publish.Publisher{
		Catalog: &f.stores, Bus: &f.bus, DeadLetters: &f.letters,
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}
	response, err := p.Publish(t.Context(), publish.Batch{Records: records})
	if len(response.BatchItemFailures) > 0 {
		return response.BatchItemFailures[0].ItemIdentifier, err
	}
	return "", err
}

func (f *fixture) requestIDs() []string {
	var ids []string
	for _, d := range f.bus.taken {
		ids = append(ids, d.RequestID)
	}
	return ids
}

func TestPublish_Changes(t *testing.T) {
	t.Parallel()
	with := func(change string, edit func(*database.Database)) database.Database {
		d := sample("id", change)
		edit(&d)
		return d
	}
	old := sample("id", "c1")
	removed := with("c9", func(d *database.Database) { d.Name = "last" })
	health := func(change string) map[string]any {
		return map[string]any{
			"change": change, "request_id": "request-" + change, "database": old.Object(),
			"health": map[string]any{"status": "failing", "checked_at": now},
		}
	}
	for _, tt := range []struct {
		name          string
		sk            string
		before, after any
		want          string // the detail-type, empty for no event
		id            string
		changed       []string
	}{
		{"an insert", "database#id", nil, old, "Created", "c1", nil},
		{"a new name", "database#id", old, with("c2", func(d *database.Database) { d.Name = "n" }), "Updated", "c2", []string{"name"}},
		{"a new target", "database#id", old, with("c2", func(d *database.Database) { d.Endpoint.Hostname, d.Endpoint.Port, d.Slot.SlotName = "h2", 1, "s2" }), "Updated", "c2", []string{"hostname", "port", "replication_slots[0].slot_name"}},
		{"a new password", "database#id", old, with("c2", func(d *database.Database) { d.SecretVersion, d.ChangedPasswords = "v2", []string{"password"} }), "Updated", "c2", []string{"password"}},
		{"a reference for the password", "database#id", old, with("c2", func(d *database.Database) {
			d.Endpoint.PasswordSecretARN, d.SecretARN, d.ChangedPasswords = "arn:theirs", "", []string{"password"}
		}), "Updated", "c2", []string{"password", "password_secret_arn", "secret_arn"}},
		{"a primary", "database#id", old, with("c2", func(d *database.Database) { d.Primary = &database.Endpoint{} }), "Updated", "c2", []string{"primary"}},
		{"another number in the annotations", "database#id", old, with("c2", func(d *database.Database) { d.Annotations = `{"n": 1}` }), "Updated", "c2", []string{"annotations"}},
		{"a write that shows nowhere", "database#id", old, with("c2", func(d *database.Database) { d.Version, d.Source.SystemIdentifier = 2, "7" }), "", "", nil},
		{"a write by hand that is no change", "database#id", old, old, "", "", nil},
		{"a delete", "database#deleted", old, nil, "Deleted", "c9", nil},
		{"a delete by hand", "database#id", old, nil, "Deleted", "", nil},
		{"a first health", "health#id", nil, health("h1"), "Health Changed", "h1", nil},
		{"a changed health", "health#id", health("h1"), health("h2"), "Health Changed", "h2", nil},
		{"an unchanged health", "health#id", health("h1"), health("h1"), "", "", nil},
		{"a removed health", "health#id", health("h1"), nil, "", "", nil},
		{"a guard", "name#orders", nil, nil, "", "", nil},
		{"a tombstone", "deleted#id", nil, old, "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture()
			f.stores.deleted["deleted"] = removed
			if failed, err := f.publish(t, f.record(tt.sk, tt.before, tt.after)); failed != "" || err != nil || f.letters.sent != nil {
				t.Fatalf("failed at %q, error %v, dead letters %v", failed, err, f.letters.sent)
			}
			if tt.want == "" {
				if f.bus.taken != nil {
					t.Errorf("event %+v", f.bus.taken)
				}
				return
			}
			if len(f.bus.taken) != 1 || f.bus.types[0] != "Postgres Database "+tt.want {
				t.Fatalf("events %v", f.bus.types)
			}
			d := f.bus.taken[0]
			if d.Version != 1 || d.AccountID != "acme" || !reflect.DeepEqual(d.Changed, tt.changed) || !d.OccurredAt.Equal(now) {
				t.Errorf("detail %+v", d)
			}
			switch tt.name {
			case "a delete by hand":
				if d.RequestID != "" || len(d.ID) != 36 || d.ID == old.Change {
					t.Errorf("ID %s, request %s", d.ID, d.RequestID)
				}
			default:
				if d.ID != tt.id || d.RequestID != "request-"+tt.id {
					t.Errorf("ID %s, request %s, want %s", d.ID, d.RequestID, tt.id)
				}
			}
			if (d.Health != nil) != strings.HasPrefix(tt.sk, "health#") || d.Database.Name == "" || d.Database.ID != "id" {
				t.Errorf("health %+v, database %+v", d.Health, d.Database)
			}
		})
	}
}

func TestPublish_Requests(t *testing.T) {
	t.Parallel()
	t.Run("one request has 10 events, and one for each database", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		var records []json.RawMessage
		for i := range 25 {
			records = append(records, f.created(fmt.Sprint("d", i)))
		}
		records = append(records, f.renamed("d24"))
		if failed, err := f.publish(t, records...); failed != "" || err != nil {
			t.Fatalf("failed at %q: %v", failed, err)
		}
		var sizes []int
		for _, r := range f.bus.requests {
			sizes = append(sizes, len(r))
		}
		if !slices.Equal(sizes, []int{10, 10, 5, 1}) {
			t.Errorf("requests of %v events", sizes)
		}
	})
	t.Run("one request has 256 KiB", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		large := func(id string) json.RawMessage {
			d := sample(id, id)
			d.Endpoint.SSLRootCert = strings.Repeat("x", 100<<10)
			return f.record("database#"+id, nil, d)
		}
		if failed, err := f.publish(t, large("a"), large("b"), large("c")); failed != "" || err != nil || len(f.bus.requests) != 2 || len(f.bus.taken) != 3 {
			t.Errorf("failed at %q: %v; %d requests, %d events", failed, err, len(f.bus.requests), len(f.bus.taken))
		}
	})
}

func TestPublish_Faults(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	t.Run("from the first event that the bus does not take, all comes again", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		f.bus.refusals["request-b"] = away
		var records []json.RawMessage
		for _, id := range []string{"a", "b", "c"} {
			records = append(records, f.created(id))
		}
		records = append(records, f.renamed("c"))
		if failed, err := f.publish(t, records...); failed != "2" || err != nil {
			t.Fatalf("failed at %q: %v", failed, err)
		}
		if ids := f.requestIDs(); !slices.Equal(ids, []string{"request-a", "request-c"}) {
			t.Errorf("taken %v: an event overtook another", ids)
		}
	})
	t.Run("a poisoned record stops nothing", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		poison := f.record("database#b", nil, "not JSON")
		failed, err := f.publish(t, f.created("a"), poison, json.RawMessage(`{"dynamodb":{}}`), json.RawMessage(`"text"`), f.created("c"))
		if failed != "" || err != nil || !slices.Equal(f.requestIDs(), []string{"request-a", "request-c"}) {
			t.Errorf("failed at %q: %v; taken %v", failed, err, f.requestIDs())
		}
		if len(f.letters.sent) != 3 || f.letters.sent[0] != string(poison) {
			t.Errorf("dead letters %q", f.letters.sent)
		}
	})
	t.Run("an event that the bus refuses for good stops nothing", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		f.bus.refusals["request-b"] = fmt.Errorf("%w: MalformedDetail", eventbus.ErrRefused)
		failed, err := f.publish(t, f.created("a"), f.created("b"), f.created("c"))
		if failed != "" || err != nil || len(f.bus.taken) != 2 || len(f.letters.sent) != 1 {
			t.Errorf("failed at %q: %v; %d events, %d dead letters", failed, err, len(f.bus.taken), len(f.letters.sent))
		}
	})
	t.Run("a poisoned record is not lost while the queue is away", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		f.letters.err = away
		failed, err := f.publish(t, f.created("a"), f.record("database#b", nil, "not JSON"), f.created("c"))
		if failed != "1" || err != nil {
			t.Errorf("failed at %q: %v", failed, err)
		}
	})
	t.Run("a store that is away stops the batch after what came before", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		f.stores.err = apierror.New(apierror.Unavailable, "s", nil)
		failed, err := f.publish(t, f.created("a"), f.record("database#b", sample("b", "b"), nil), f.created("c"))
		if failed != "2" || err != nil || !slices.Equal(f.requestIDs(), []string{"request-a"}) || f.letters.sent != nil {
			t.Errorf("failed at %q: %v; taken %v, dead letters %v", failed, err, f.requestIDs(), f.letters.sent)
		}
	})
	t.Run("what does not fit into the time comes again", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		p := publish.Publisher{Catalog: &f.stores, Bus: &f.bus, DeadLetters: &f.letters, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		response, err := p.Publish(ctx, publish.Batch{Records: []json.RawMessage{f.created("a")}})
		if err != nil || len(response.BatchItemFailures) != 1 || response.BatchItemFailures[0].ItemIdentifier != "1" || f.bus.taken != nil {
			t.Errorf("response %+v, error %v", response, err)
		}
	})
	t.Run("the same record leads to the same event", func(t *testing.T) {
		t.Parallel()
		f := newFixture()
		byHand := f.record("database#b", sample("b", "b"), nil)
		if failed, err := f.publish(t, byHand, byHand); failed != "" || err != nil || f.bus.taken[0].ID != f.bus.taken[1].ID {
			t.Errorf("failed at %q: %v; events %+v", failed, err, f.bus.taken)
		}
	})
}
