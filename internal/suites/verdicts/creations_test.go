package verdicts_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/probe"
)

// creation is a scene in which a publication or a slot may be made by request. Each of
// its choices is drawn independently.
type creation struct {
	scene
	publication, slot       bool // it exists
	askPublication, askSlot bool
	scope, rights           string
	viaRoot                 bool
}

// generateCreation makes the creation with this seed for a major.
func generateCreation(seed uint64, major int) creation {
	random := rand.New(rand.NewPCG(seed, uint64(major)+1))
	s := generate(seed, major)
	c := creation{
		publication: random.IntN(4) == 0, slot: random.IntN(4) == 0, askPublication: random.IntN(6) > 0, askSlot: random.IntN(6) > 0,
		scope:  []string{"tables", "tables", "schema", "all"}[random.IntN(4)],
		rights: []string{"none", "owner", "owner", "superuser"}[random.IntN(4)], viaRoot: random.IntN(2) == 0,
	}
	if major < 15 && c.scope == "schema" {
		c.scope = "tables"
	}
	c.scene = scene{Seed: seed, Choices: map[string]string{"names": s.Choices["names"]}, Tables: s.Tables}
	if !c.publication {
		c.Choices["publication"] = "missing"
	}
	if !c.slot {
		c.Choices["slot"] = "missing"
	} else if random.IntN(2) == 0 {
		c.Choices["pending"] = "a change"
	}
	c.scene = c.normal()
	return c
}

func (c creation) String() string {
	return fmt.Sprintf("%s, asked for the publication: %t, for the slot: %t; %s by %s, via root: %t", c.scene, c.askPublication, c.askSlot, c.scope, c.rights, c.viaRoot)
}

// TestVerdicts_Creations lets headgate make what is missing, exactly where it is possible,
// and a consumer then reads it.
func TestVerdicts_Creations(t *testing.T) {
	policy, err := egress.New("127.0.0.0/8,::1/128", "")
	if err != nil {
		t.Fatal(err)
	}
	_, seed := toJudge(t)
	prober, major := probe.New(policy), shared.installation.Major
	made, refused := 0, 0
	for i := range max(10, *scenesFlag/3) {
		c := generateCreation(seed+uint64(i), major)
		accepted, err := c.judge(t.Context(), prober, major)
		if err != nil {
			t.Errorf("%s: %v", c, err)
		}
		if accepted {
			made++
		} else {
			refused++
		}
	}
	t.Logf("PostgreSQL %d, seed %d: %d creations, and %d refusals", major, seed, made, refused)
}

// judge reports whether headgate accepts the creation. An error is a disagreement, or one
// of the suite's own.
func (c creation) judge(ctx context.Context, prober *probe.Prober, major int) (accepted bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sceneTime)
	defer cancel()
	l, err := shared.get(ctx, c.plan(major).needs)
	if err != nil {
		return false, err
	}
	defer shared.put(l)
	w, err := c.make(ctx, l, major)
	if w != nil {
		defer w.remove(context.WithoutCancel(ctx))
	}
	if err != nil {
		l.dirty = true
		return false, fmt.Errorf("make the scene: %w", err)
	}
	if err := c.ask(ctx, w); err != nil {
		return false, err
	}
	want, err := c.refusals(ctx, w)
	if err != nil {
		return false, err
	}
	x := prober.Probe(ctx, w.target)
	var got []check.Code
	for _, e := range x.Report {
		if e.Status == check.Failed && !slices.Contains(got, e.Code) {
			got = append(got, e.Code)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return false, fmt.Errorf("refused for %v, want %v: %v", got, want, findings(x.Report))
	}
	if len(want) > 0 {
		return false, nil
	}
	return true, c.consumeMade(ctx, prober, w, x)
}

// ask gives the role its rights, and makes the request.
func (c creation) ask(ctx context.Context, w *world) error {
	switch c.rights {
	case "owner":
		if err := w.run(ctx, w.lease.primary, "postgres", "", w.fill("GRANT {owner} TO {role}")); err != nil {
			return err
		}
	case "superuser":
		if err := w.run(ctx, w.lease.primary, "postgres", "", w.fill("ALTER ROLE {role} SUPERUSER")); err != nil {
			return err
		}
	}
	w.target.Creation.Slot = c.askSlot
	if !c.askPublication {
		return nil
	}
	p := &database.NewPublication{ViaRoot: c.viaRoot}
	switch c.scope {
	case "tables":
		for _, t := range w.tables() {
			kind, err := w.ask(ctx, w.lease.primary, w.names.database, "SELECT relpersistence = 'p' AND relkind IN ('r', 'p') FROM pg_class WHERE oid = to_regclass("+literal(t.qualified())+")")
			if err != nil {
				return err
			}
			if kind == "t" {
				p.Tables = append(p.Tables, database.TableName{Schema: t.schema, Name: t.relation})
			}
		}
	case "schema":
		p.Schemas = []string{"public"}
	}
	w.target.Creation.Publication = p
	return nil
}

// refusals are the codes of the failures that there have to be: what is missing and not
// asked for, and what can't be made, as trying it shows.
func (c creation) refusals(ctx context.Context, w *world) ([]check.Code, error) {
	var want []check.Code
	if !c.slot && !c.askSlot {
		want = append(want, check.SlotNotFound)
	}
	if c.publication {
		return want, nil
	}
	if !c.askPublication {
		return append(want, check.PublicationNotFound), nil
	}
	if c.slot && w.pendingRows != nil {
		want = append(want, check.PublicationAfterSlot)
	}
	denied, unsafe, err := c.try(ctx, w)
	if denied {
		want = append(want, check.PublicationCreateDenied)
	}
	if unsafe {
		want = append(want, check.PublicationCreateUnsafe)
	}
	return want, err
}

// try makes the publication in a transaction that is rolled back: as the role, which may
// be denied, and as the superuser, to see whether statements of the application that
// worked before fail then.
func (c creation) try(ctx context.Context, w *world) (denied, unsafe bool, err error) {
	conn, err := connect(ctx, w.lease.primary, w.names.database, map[string]string{"default_transaction_read_only": "off"})
	if err != nil {
		return false, false, err
	}
	defer conn.Close(ctx)
	sql := c.statement(w)
	as := execute(ctx, conn, "BEGIN", "SET LOCAL SESSION AUTHORIZATION "+quote(w.names.role), sql)
	if as != nil && stateOf(as) != "42501" {
		return false, false, as
	}
	if err := execute(ctx, conn, "ROLLBACK", "BEGIN"); err != nil {
		return false, false, err
	}
	before := w.failing(ctx, conn)
	if err := execute(ctx, conn, sql); err != nil {
		return false, false, err
	}
	for operation := range w.failing(ctx, conn) {
		unsafe = unsafe || !before[operation]
	}
	return as != nil, unsafe, execute(ctx, conn, "ROLLBACK")
}

func (c creation) statement(w *world) string {
	sql := "CREATE PUBLICATION " + quote(w.target.Slot.PublicationName)
	p := w.target.Creation.Publication
	switch {
	case len(p.Tables) > 0:
		var names []string
		for _, t := range p.Tables {
			names = append(names, quote(t.Schema)+"."+quote(t.Name))
		}
		sql += " FOR TABLE " + strings.Join(names, ", ")
	case len(p.Schemas) > 0:
		sql += " FOR TABLES IN SCHEMA public"
	default:
		sql += " FOR ALL TABLES"
	}
	return sql + fmt.Sprintf(" WITH (publish_via_partition_root = %t)", c.viaRoot)
}

// failing are the application's statements that fail in a transaction, for the reasons
// that publications give.
func (w *world) failing(ctx context.Context, conn *pgconn.PgConn) map[string]bool {
	failed := map[string]bool{}
	for _, t := range w.tables() {
		w.row++
		for _, op := range t.operations(w.row) {
			err := execute(ctx, conn, "SAVEPOINT operation", op.sql)
			if state := stateOf(err); state == "55000" || state == "42P10" {
				failed[t.tag+" "+op.name] = true
			}
			if err := execute(ctx, conn, "ROLLBACK TO operation"); err != nil {
				failed[err.Error()] = true
			}
		}
	}
	return failed
}

// consumeMade makes what is missing, reads it as a consumer does, and drops it.
func (c creation) consumeMade(ctx context.Context, prober *probe.Prober, w *world, x database.Examination) error {
	missing := database.Making{Publication: !c.publication, Slot: !c.slot}
	made, report := prober.Make(ctx, w.target, x.Missing)
	if made != missing || len(report) > 0 {
		return fmt.Errorf("made %v of %v: %v", made, missing, report)
	}
	w.target.Creation = database.Creation{}
	report = prober.Probe(ctx, w.target).Report
	observed, err := w.consume(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(observed.login, observed.start, observed.stream); err != nil {
		return fmt.Errorf("a consumer meets %w", err)
	}
	if odds := compare(report, w.troubles(observed), w.plan.tags()); len(odds) > 0 {
		return fmt.Errorf("after it was made: %v", odds)
	}
	if err := w.until(ctx, w.fill("SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = {slot} AND active)")); err != nil {
		return err
	}
	if dropped, report := prober.Drop(ctx, w.target, x.Source, made); dropped != made || len(report) > 0 {
		return fmt.Errorf("dropped %v of %v: %v", dropped, made, report)
	}
	return nil
}
