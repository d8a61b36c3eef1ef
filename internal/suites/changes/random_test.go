package changes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/publish"
)

// maxOperations bounds the operations of one world: moto copies the whole table, with
// its stream, for each transaction.
const maxOperations = 100

// tally is what the random operations led to.
type tally struct {
	mu                                                             sync.Mutex
	operations, acknowledged, killed                               int
	changes, put, again, invocations, crashes, missing, misordered int
	met                                                            map[fault]int
}

// TestChanges_RandomOperations makes random creates, updates and deletes, kills some of
// the functions that make them, and publishes with a fault in every other request of the
// bus. Then each change is on the bus, under one ID, in the order of its database.
func TestChanges_RandomOperations(t *testing.T) {
	t.Parallel()
	begun, total := time.Now(), &tally{met: map[fault]int{}}
	t.Run("worlds", func(t *testing.T) {
		for n := range (*operations + maxOperations - 1) / maxOperations {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				w := &random{world: newWorld(t), random: rand.New(rand.NewPCG(1, uint64(n))), live: map[string]string{}, kinds: map[string]string{}}
				w.bus.setFaults(failing(w.random, 2))
				for range min(maxOperations, *operations-n*maxOperations) {
					w.operate()
					if w.random.IntN(4) == 0 {
						w.deliver()
					}
				}
				w.drain()
				w.check(total)
			})
		}
	})
	figures(os.Stdout,
		"operations", total.operations,
		"acknowledged changes", total.acknowledged,
		"functions killed during an operation", total.killed,
		"changes in the table", total.changes,
		"events put", total.put,
		"of these, put again under the same ID", total.again,
		"changes without an event, or with two IDs", total.missing,
		"events out of their database's order", total.misordered,
		"invocations of publish-changes", total.invocations,
		"of these, killed", total.crashes,
		"time", time.Since(begun).Round(time.Second),
	)
	for _, f := range allFaults() {
		figures(os.Stdout, "  "+string(f), total.met[f])
	}
}

// random is a world with random operations.
type random struct {
	*world
	random *rand.Rand
	n      int
	killed int
	// live maps the databases that may exist from their names to their IDs, which are
	// empty if they are not known.
	live map[string]string
	// kinds maps the requests that were acknowledged to their changes' detail-types.
	kinds map[string]string
}

func (w *random) operate() {
	w.n++
	id := fmt.Sprintf("request-%d", w.n)
	names := slices.Sorted(maps.Keys(w.live))
	kind := w.random.IntN(10)
	if len(names) == 0 || kind < 3 {
		name := fmt.Sprintf("database-%d", w.n)
		w.live[name] = ""
		w.request(id, publish.CreatedType, "POST", collection, payload(name), 201)
		return
	}
	name := names[w.random.IntN(len(names))]
	path := collection + "/" + name
	if kind == 9 {
		if w.request(id, publish.DeletedType, "DELETE", path, nil, 200) {
			delete(w.live, name)
		}
		return
	}
	patches := []map[string]any{
		{"annotations": map[string]any{"n": w.n}},
		{"replication_slots": []any{map[string]any{"status": []string{"active", "disabled"}[w.n%2], "slot_name": fmt.Sprint("slot_", w.n)}}},
		{"password": fmt.Sprint(password, w.n)},
		{"hostname": fmt.Sprintf("host-%d.example.com", w.n), "port": 1000 + w.n},
		{"name": fmt.Sprintf("renamed-%d", w.n)},
	}
	patch := patches[w.random.IntN(len(patches))]
	if renamed, ok := patch["name"].(string); ok {
		w.live[renamed] = ""
	}
	w.request(id, publish.UpdatedType, "PATCH", path+"?verify=false", patch, 200)
}

// request makes a request and reports whether it was acknowledged. One in ten functions
// is killed while it serves the request.
func (w *random) request(id, kind, method, path string, body any, status int) bool {
	if w.random.IntN(10) == 0 {
		w.killed++
		function := map[string]string{"POST": "create-database", "PATCH": "update-database", "DELETE": "delete-database"}[method]
		w.function(function) // its start is not what is killed
		timer := time.AfterFunc(time.Duration(w.random.IntN(60))*time.Millisecond, func() { w.stop(function) })
		defer timer.Stop()
	}
	got, object, err := w.call(id, method, path, body)
	switch {
	case err != nil: // killed: whether it was done is what the table says
		return false
	case got == 404: // an earlier request that was killed had created, renamed or deleted nothing, or all
		return false
	case got != status:
		w.t.Fatalf("%s %s: status %d, %v", method, path, got, object)
	}
	w.kinds[id] = kind
	return true
}

// change is a change of a database as the table's stream has it.
type change struct {
	id, kind string
	object   database.Object
}

// changes returns the changes of each database, read from the table without the code that
// publishes them.
func (w *random) changes() map[string][]change {
	w.t.Helper()
	records, err := w.mapping.All(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string][]change{}
	for _, r := range records {
		var record struct {
			DynamoDB struct {
				OldImage, NewImage struct{ Document struct{ S string } }
			}
		}
		if err := json.Unmarshal(r.JSON, &record); err != nil {
			w.t.Fatal(err)
		}
		before, after := record.DynamoDB.OldImage.Document.S, record.DynamoDB.NewImage.Document.S
		c := change{kind: publish.UpdatedType}
		switch {
		case before == "":
			c.kind = publish.CreatedType
		case after == "":
			c.kind, after = publish.DeletedType, w.document("deleted#"+r.SK[len("database#"):])
		}
		var d database.Database
		if err := json.Unmarshal([]byte(after), &d); err != nil {
			w.t.Fatalf("%v: %s", err, after)
		}
		c.id, c.object = d.Change, d.Object()
		all[d.ID] = append(all[d.ID], c)
	}
	return all
}

// check compares what is on the bus with what is in the table, and adds it up.
func (w *random) check(total *tally) {
	w.t.Helper()
	want, got, ids := w.changes(), map[string][]change{}, map[string]bool{}
	put, again, requests := w.bus.events(), 0, map[string]map[string]bool{}
	for i, d := range details(w.t, put) {
		wantValid(w.t, put[i])
		if requests[d.RequestID] == nil {
			requests[d.RequestID] = map[string]bool{}
		}
		requests[d.RequestID][d.ID+" "+put[i].DetailType] = true
		if ids[d.ID] {
			again++
			continue
		}
		ids[d.ID] = true
		got[d.Database.ID] = append(got[d.Database.ID], change{d.ID, put[i].DetailType, d.Database})
	}
	missing, misordered, changes := 0, 0, 0
	for id, cs := range want {
		changes += len(cs)
		switch {
		case len(got[id]) != len(cs):
			missing++
			w.t.Errorf("database %s: %d events, want %d", id, len(got[id]), len(cs))
		case !equal(got[id], cs):
			misordered++
			w.t.Errorf("database %s: events %v, want %v", id, got[id], cs)
		}
	}
	if len(got) != len(want) {
		w.t.Errorf("events of %d databases, want %d", len(got), len(want))
	}
	for request, kind := range w.kinds {
		events := slices.Collect(maps.Keys(requests[request]))
		if len(events) != 1 || events[0][len(events[0])-len(kind):] != kind {
			missing++
			w.t.Errorf("request %s: events %v, want one %s", request, events, kind)
		}
	}
	if letters := w.deadLetters(); len(letters) > 0 {
		w.t.Errorf("dead letters %q", letters)
	}
	w.wantNoPassword(password)
	total.mu.Lock()
	defer total.mu.Unlock()
	total.operations += w.n
	total.acknowledged += len(w.kinds)
	total.killed += w.killed
	total.changes, total.put, total.again = total.changes+changes, total.put+len(put), total.again+again
	total.missing, total.misordered = total.missing+missing, total.misordered+misordered
	total.invocations, total.crashes = total.invocations+w.invocations, total.crashes+w.crashes
	for f, n := range w.bus.met {
		total.met[f] += n
	}
}

// equal reports whether two lists have the same changes in the same order. Their
// objects are compared as JSON, which is how annotations are published.
func equal(a, b []change) bool {
	return slices.EqualFunc(a, b, func(a, b change) bool {
		x, errX := json.Marshal(a.object)
		y, errY := json.Marshal(b.object)
		return a.id == b.id && a.kind == b.kind && errX == nil && errY == nil && reflect.DeepEqual(x, y)
	})
}
