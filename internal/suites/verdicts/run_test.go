package verdicts_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

const (
	sceneTime = 90 * time.Second
	maxRounds = 3
)

// prober is what is judged.
type prober interface {
	Probe(ctx context.Context, t database.Target) database.Examination
}

// judge judges scenes.
type judge struct {
	prober  prober
	servers *servers
	major   int
	// fixes is whether printed fixes are run.
	fixes bool
}

// outcome is what came of one scene.
type outcome struct {
	scene         scene
	seen          []check.Code // in the first report
	disagreements []disagreement
	fixesRun      []check.Code
	notApplied    []string
	script        []string
	report        check.Report
	took          time.Duration
	err           error // the suite's own
}

// judge makes the scene, asks headgate, does what a consumer does and compares.
func (j judge) judge(ctx context.Context, s scene) (o outcome) {
	begin := time.Now()
	defer func() { o.took = time.Since(begin) }()
	ctx, cancel := context.WithTimeout(ctx, sceneTime)
	defer cancel()
	o.scene = s
	l, err := j.servers.get(ctx, s.plan(j.major).needs)
	if err != nil {
		o.err = err
		return o
	}
	defer j.servers.put(l)
	w, err := s.make(ctx, l, j.major)
	if w != nil {
		defer func() { o.script = w.script; w.remove(context.WithoutCancel(ctx)) }()
	}
	if err != nil {
		o.err = fmt.Errorf("make the scene: %w", err)
		l.dirty = true
		return o
	}
	o.err = j.rounds(ctx, w, &o)
	return o
}

// trial is one scene while it is judged.
type trial struct {
	judge
	w       *world
	o       *outcome
	before  snapshot
	first   *observation
	applied []check.Entry   // whose fix was run last
	ran     map[string]bool // the findings whose fix was run
}

// rounds asks, consumes, compares and runs the fixes, until nothing is left to mend.
func (j judge) rounds(ctx context.Context, w *world, o *outcome) error {
	t := &trial{judge: j, w: w, o: o, ran: map[string]bool{}}
	for round := range maxRounds + 1 {
		more, err := t.round(ctx, round)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if !more {
			break
		}
	}
	harm, err := w.harm(ctx, t.before)
	o.disagreements = append(o.disagreements, harm...)
	return err
}

// round reports whether fixes were run, so that another round shows what they did.
func (t *trial) round(ctx context.Context, n int) (bool, error) {
	report, err := t.ask(ctx)
	if err != nil {
		return false, err
	}
	observed, err := t.w.consume(ctx)
	if err != nil {
		return false, err
	}
	odds := compare(report, t.w.troubles(observed), t.w.plan.tags())
	if n == 0 {
		t.first, t.o.report = observed, report
		for _, f := range findings(report) {
			t.o.seen = append(t.o.seen, f.Code)
		}
		// A fix may make the slot anew, and says that what was waiting is lost.
		t.w.pendingRows = nil
	} else {
		odds = append(odds, persisting(t.applied, report)...)
		odds = append(odds, brokenStatements(t.first, observed)...)
	}
	if n == maxRounds && len(odds) == 0 {
		odds = left(report, t.ran)
	}
	t.o.disagreements = append(t.o.disagreements, odds...)
	if !t.fixes || len(odds) > 0 || n == maxRounds {
		return false, nil
	}
	if err := t.awaitSlot(ctx); err != nil {
		return false, err
	}
	t.applied = t.w.applyAll(ctx, report, t.o)
	for _, e := range t.applied {
		t.ran[identify(e)] = true
	}
	return len(t.applied) > 0, nil
}

// awaitSlot waits until the server has ended the consumer's session, which it does in
// its own time: a fix may drop the slot, and headgate's next question is about it.
func (t *trial) awaitSlot(ctx context.Context) error {
	if slot := t.first.facts.Slot; slot != nil && slot.Active {
		return nil // somebody else's session holds it
	}
	return t.w.until(ctx, t.w.fill("SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = {slot} AND active)"))
}

// ask asks headgate, and takes away what was in its way only.
func (t *trial) ask(ctx context.Context) (check.Report, error) {
	var err error
	if t.before == nil && t.w.release == nil { // a lock would be in the way
		if t.before, err = t.w.snapshot(ctx); err != nil {
			return nil, err
		}
	}
	report := t.prober.Probe(ctx, t.w.target).Report
	if t.w.release != nil {
		if err := t.w.release(ctx); err != nil {
			return nil, err
		}
		t.w.release = nil
		if t.before, err = t.w.snapshot(ctx); err != nil {
			return nil, err
		}
	}
	// The server may still be ending headgate's session.
	sessions := "application_name = 'headgate'"
	if t.w.pooler != nil { // which keeps the server's session
		sessions += " AND backend_type = 'walsender'"
	}
	return report, t.w.until(ctx, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE "+sessions+")")
}

// persisting are the findings that are still there after their fix was run.
func persisting(applied []check.Entry, report check.Report) []disagreement {
	var all []disagreement
	for _, a := range applied {
		for _, f := range findings(report) {
			if f.Code == a.Code && f.Message == a.Message {
				all = append(all, disagreement{fixUseless, string(a.Code), fmt.Sprintf("after %q the finding %s is still there", a.Fix, a.Code)})
				break
			}
		}
	}
	return all
}

// left are the findings that have a fix and are there after the last round. One that
// came up in it, from under others, had no round of its own.
func left(report check.Report, ran map[string]bool) []disagreement {
	var all []disagreement
	for _, f := range findings(report) {
		if f.Fix != "" && ran[identify(f)] {
			all = append(all, disagreement{notMended, string(f.Code), fmt.Sprintf("%s: %s", f.Code, f.Message)})
		}
	}
	return all
}

// identify is a finding's code and message, without numbers and what else differs from
// round to round.
func identify(e check.Entry) string {
	return string(e.Code) + regexp.MustCompile(`\d+`).ReplaceAllString(e.Message, "")
}

// brokenStatements are the application's statements that worked at first and fail
// after the fixes.
func brokenStatements(first, now *observation) []disagreement {
	var all []disagreement
	for i, t := range now.tables {
		if first.tables[i].published && !t.published {
			all = append(all, disagreement{fixHarmful, "published", fmt.Sprintf("table %s was published before the fixes", t.tag)})
		}
		for operation, err := range t.failed {
			if first.tables[i].failed[operation] == nil {
				all = append(all, disagreement{fixHarmful, operation, fmt.Sprintf("the %s of table %s worked before the fixes: %v", operation, t.tag, err)})
			}
		}
	}
	return all
}

// shrink makes a scene smaller while a disagreement of the same kind stays.
func (j judge) shrink(ctx context.Context, o outcome, signature string) outcome {
	const maxTries = 30
	tries := 0
	for {
		shrunk := false
		for _, s := range o.scene.smaller() {
			if tries++; tries > maxTries {
				return o
			}
			again := j.judge(ctx, s)
			if again.err == nil && again.has(signature) {
				o, shrunk = again, true
				break
			}
		}
		if !shrunk {
			return o
		}
	}
}

func (o outcome) has(signature string) bool {
	return slices.ContainsFunc(o.disagreements, func(d disagreement) bool { return d.signature() == signature })
}

// describe is a scene that failed, for a person to repeat.
func (o outcome) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "scene %s\n", o.scene)
	for _, d := range o.disagreements {
		fmt.Fprintf(&b, "  * %s\n", d)
	}
	for _, e := range findings(o.report) {
		fmt.Fprintf(&b, "  found %s (%s): %s\n    fix: %s\n", e.Code, e.Status, e.Message, e.Fix)
	}
	for _, sql := range o.script {
		fmt.Fprintf(&b, "    %s\n", sql)
	}
	if o.err != nil {
		fmt.Fprintf(&b, "  error: %v\n", o.err)
	}
	return b.String()
}
