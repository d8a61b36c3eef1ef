package verdicts_test

import (
	"context"
	"fmt"
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
	Probe(ctx context.Context, t database.Target) check.Report
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

func (j judge) rounds(ctx context.Context, w *world, o *outcome) error {
	before, err := w.snapshot(ctx)
	if err != nil {
		return err
	}
	var tags []string
	for _, t := range w.plan.tables {
		tags = append(tags, t.tag)
	}
	var first *observation
	worked := map[string]bool{}
	var applied []check.Entry
	for round := range maxRounds + 1 {
		report := j.prober.Probe(ctx, w.target)
		if w.release != nil {
			if err := w.release(ctx); err != nil {
				return err
			}
			w.release = nil
		}
		// The server may still be ending headgate's session.
		if err := w.until(ctx, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'headgate')"); err != nil {
			return err
		}
		observed, err := w.consume(ctx)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		// A fix may make the slot anew, and says that what was waiting is lost.
		w.pendingRows = nil
		if round == 0 {
			first, o.report = observed, report
			for _, f := range findings(report) {
				o.seen = append(o.seen, f.Code)
			}
		}
		odds := compare(report, w.troubles(observed), tags)
		if round > 0 {
			odds = append(odds, persisting(applied, report)...)
			odds = append(odds, brokenStatements(first, observed)...)
		}
		o.disagreements = append(o.disagreements, odds...)
		if !j.fixes || len(odds) > 0 {
			break
		}
		if round == maxRounds {
			o.disagreements = append(o.disagreements, left(report, worked)...)
			break
		}
		applied = w.applyAll(ctx, report, o)
		for _, e := range applied {
			worked[string(e.Code)] = true
		}
		if len(applied) == 0 {
			break
		}
	}
	harm, err := w.harm(ctx, before)
	o.disagreements = append(o.disagreements, harm...)
	return err
}

// persisting are the findings that are still there after their fix was run.
func persisting(applied []check.Entry, report check.Report) []disagreement {
	var all []disagreement
	for _, a := range applied {
		for _, f := range findings(report) {
			if f.Code == a.Code && f.Message == a.Message && f.Fix == a.Fix {
				all = append(all, disagreement{fixUseless, string(a.Code), fmt.Sprintf("after %q the finding %s is still there", a.Fix, a.Code)})
				break
			}
		}
	}
	return all
}

// left are the findings that have a fix and are there after the last round.
func left(report check.Report, worked map[string]bool) []disagreement {
	var all []disagreement
	for _, f := range findings(report) {
		if f.Fix != "" && worked[string(f.Code)] {
			all = append(all, disagreement{notMended, string(f.Code), fmt.Sprintf("%s: %s", f.Code, f.Message)})
		}
	}
	return all
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
