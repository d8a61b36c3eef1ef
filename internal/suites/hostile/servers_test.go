package hostile_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/jackc/pgx/v5/pgproto3"
)

// workers is how many hostile servers are talked to at once: most of the time goes by
// in waiting for a slow one.
const workers = 16

// Limits of what is kept and sent about one database, in bytes.
const (
	maxObject   = 256 << 10
	maxWarnings = 64 << 10
	// maxMemory bounds what the process has in use while it talks to workers servers,
	// those servers included.
	maxMemory = 512 << 20
)

// plan is what one hostile server does.
type plan struct {
	number  int
	attacks []attack
	// at has the stage of each attack, and the number of the statement from which on
	// it is tried.
	at         []moment
	refuseAll  bool // the first statement is refused, so that its parts are asked alone
	tls        bool
	operations []string
}

func newPlan(number int) plan {
	r := random("server", number)
	p := plan{number: number, tls: r.IntN(3) == 0, refuseAll: r.IntN(3) == 0}
	// What gets furthest is tried most.
	groups := [][]attack{transportAttacks(), streamAttacks(), streamAttacks(), loginAttacks(), answerAttacks(), answerAttacks(), answerAttacks()}
	for range 1 + r.IntN(2) {
		a := pick(r, pick(r, groups))
		p.attacks = append(p.attacks, a)
		p.at = append(p.at, moment{stage: pick(r, a.at), number: pick(r, []int{1, 1, 2, 3, 4})})
	}
	all := []string{"dry run", "create", "make", "update", "test_connection", "refresh_tables", "drop"}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	p.operations = all[:2+r.IntN(2)]
	return p
}

func (p plan) String() string {
	var names []string
	for i, a := range p.attacks {
		names = append(names, fmt.Sprintf("%s (%s %d)", a.name, p.at[i].stage, p.at[i].number))
	}
	return fmt.Sprintf("server %d: %s, first refused %v, TLS %v", p.number, strings.Join(names, ", "), p.refuseAll, p.tls)
}

// alterer returns the server's behaviour. Each conversation goes on with the plan's
// random choices.
func (p plan) alterer() func(moment, [][]byte) reply {
	var mu sync.Mutex
	r := random("behaviour", p.number)
	return func(m moment, honest [][]byte) reply {
		mu.Lock()
		choices := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
		mu.Unlock()
		if m.stage == onQuery && m.number == 0 {
			return reply{messages: honest}
		}
		// The statement of all parts builds an object of several.
		if p.refuseAll && asksAll(m) {
			return reply{messages: failed(pgproto3.ErrorResponse{Severity: "ERROR", Code: "42501", Message: "permission denied"})}
		}
		for i, a := range p.attacks {
			if p.at[i].stage == m.stage && (m.stage != onQuery || m.number >= p.at[i].number) && choices.IntN(5) > 0 {
				return a.alter(choices, honest)
			}
		}
		return reply{messages: honest}
	}
}

// TestServers_Honest shows that the servers' honesty is enough to be registered.
func TestServers_Honest(t *testing.T) {
	t.Parallel()
	o := newOracle(t, "a password")
	s := newStack(t, loopback, "")
	var all, lists, made, dropped atomic.Int64
	p := (&pretender{oracle: o, alter: func(m moment, honest [][]byte) reply {
		if asksAll(m) {
			all.Add(1)
		}
		switch {
		case listsTables(m):
			lists.Add(1)
		case makesSlot(m.sql):
			made.Add(1)
		case dropsSlot(m.sql):
			dropped.Add(1)
		}
		return reply{messages: honest}
	}}).start(t)
	payload := payloadOf("orders", o.source, "127.0.0.1", p.port)
	payload["ssl"] = false
	if got := s.send("POST", gateway.Collection, payload); got.status != 201 || len(got.Warnings) == 0 {
		t.Errorf("create: %d %s", got.status, cut(got.body))
	}
	if got := s.send("POST", gateway.Collection+"/orders/refresh_tables", nil); got.status != 200 || len(got.Tables) != 4 {
		t.Errorf("refresh_tables: %d %s", got.status, cut(got.body))
	}
	payload["name"], payload["replication_slots"] = "made", []any{o.missing(o.source.Publication)}
	if got := s.send("POST", gateway.Collection, payload); got.status != 201 || made.Load() != 1 {
		t.Errorf("make: %d %s; %d slots made", got.status, cut(got.body), made.Load())
	}
	if got := s.send("DELETE", gateway.Collection+"/made?drop_slot=true", nil); got.status != 200 || dropped.Load() != 1 {
		t.Errorf("drop: %d %s; %d slots dropped", got.status, cut(got.body), dropped.Load())
	}
	// The attacks go by these statements.
	if all.Load() == 0 || lists.Load() != 1 {
		t.Errorf("%d statements that ask for all parts, %d that list tables", all.Load(), lists.Load())
	}
}

func TestServers_Hostile(t *testing.T) {
	t.Parallel()
	o := newOracle(t, "a password")
	honest := (&pretender{oracle: o}).start(t)
	s := newStack(t, loopback, "")
	certificate := serverTLS()
	numbers := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for n := range numbers {
				p := newPlan(n)
				server := &pretender{oracle: o, alter: p.alterer()}
				if p.tls {
					server.tls = certificate
				}
				server.start(t)
				s.attackWith(p, server, honest)
				server.stop()
				if bytes.Contains(server.heard, []byte(o.source.Password)) {
					total.add(leaksFound, 1)
					s.fail("cleartext", "%v: the password was sent without TLS", p)
				}
			}
		})
	}
	if *serverFlag >= 0 {
		numbers <- *serverFlag
	} else {
		for n := range *serversFlag {
			numbers <- n
		}
	}
	close(numbers)
	group.Wait()
	s.checkList200("after all")
	if total.peak > maxMemory {
		t.Errorf("%d MiB of memory were in use", total.peak>>20)
	}
}

// attackWith does the plan's operations about a hostile server. Where one needs a
// database, it is registered at the honest one first.
func (s *stack) attackWith(p plan, server, honest *pretender) {
	total.add(serversMade, 1)
	for _, a := range p.attacks {
		total.mode(a.name)
	}
	name := fmt.Sprintf("db-%d", p.number)
	payload := payloadOf(name, server.oracle.source, "127.0.0.1", server.port)
	payload["ssl"] = p.tls
	defer func() {
		if s.t.Failed() {
			s.t.Log(p)
		}
	}()
	registered := false
	for _, operation := range p.operations {
		switch operation {
		case "dry run":
			s.checkSizes(p, s.dryRun(payload))
		case "create":
			fresh := payloadOf(name+"-new", server.oracle.source, "127.0.0.1", server.port)
			fresh["ssl"] = p.tls
			s.checkSizes(p, s.send("POST", gateway.Collection, fresh))
		case "make":
			fresh := payloadOf(name+"-made", server.oracle.source, "127.0.0.1", server.port)
			fresh["ssl"], fresh["replication_slots"] = p.tls, []any{server.oracle.missing(pick(random("publication", p.number), []string{"missing", server.oracle.source.Publication}))}
			s.checkSizes(p, s.send("POST", gateway.Collection, fresh))
		case "drop":
			if !registered {
				registered = s.moveTo(name, payload, honest)
			}
			if registered && s.send("DELETE", gateway.Collection+"/"+name+"?drop_slot=true&drop_publication=true", nil).status == 200 {
				registered = false
			}
		default:
			if !registered {
				registered = s.moveTo(name, payload, honest)
			}
			if registered {
				s.checkSizes(p, s.ask(operation, name))
			}
		}
		s.checkList200(p.String())
	}
}

// missing returns a slot that servers are asked to make, and its publication.
func (o *oracle) missing(publication string) map[string]any {
	return map[string]any{
		"slot_name": o.source.Slot + "_missing", "publication_name": publication, "create_if_not_exists": true,
		"publication": map[string]any{"create_if_not_exists": true, "tables": []any{map[string]any{"schema": "public", "name": "t"}}},
	}
}

// moveTo registers a database at the honest server and moves it to the hostile one
// without a look at that.
func (s *stack) moveTo(name string, payload map[string]any, honest *pretender) bool {
	first := payloadOf(name, honest.oracle.source, "127.0.0.1", honest.port)
	first["ssl"] = false
	if got := s.send("POST", gateway.Collection, first); got.status != 201 {
		s.fail("registration", "register %s: %d %s", name, got.status, cut(got.body))
		return false
	}
	moved := map[string]any{"port": payload["port"], "ssl": payload["ssl"]}
	if got := s.send("PATCH", gateway.Collection+"/"+name+"?verify=false", moved); got.status != 200 {
		s.fail("registration", "move %s: %d %s", name, got.status, cut(got.body))
		return false
	}
	return true
}

func (s *stack) ask(operation, name string) answer {
	if operation == "update" {
		return s.send("PATCH", gateway.Collection+"/"+name, map[string]any{"username": "another"})
	}
	return s.send("POST", gateway.Collection+"/"+name+"/"+operation, nil)
}

// checkSizes checks the size of a database object and of its warnings.
func (s *stack) checkSizes(p plan, got answer) {
	if got.ID == "" {
		return
	}
	object := len(got.body)
	if object > maxObject {
		s.fail("object", "%v: an object of %d bytes", p, object)
	}
	if warnings := got.rawWarnings(); warnings > maxWarnings {
		s.fail("warnings", "%v: warnings of %d bytes", p, warnings)
	}
	if again := s.send("GET", gateway.Collection+"/"+got.ID, nil); again.status != 200 {
		s.fail("get", "%v: the database can't be read again: %d", p, again.status)
	}
}

// checkList200 checks that the account's list still works.
func (s *stack) checkList200(when string) {
	if got := s.send("GET", gateway.Collection, nil); got.status != 200 {
		s.fail("list", "%s: the list: %d %s", when, got.status, cut(got.body))
	}
}
