package verdicts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// errNoForm says that a fix has none of the forms that are understood here.
var errNoForm = errors.New("the fix has no form that a machine can apply")

// applyAll runs the fixes of a report in order, and returns the findings whose fix
// was run. Where one could not be applied, those after it may fail for want of it.
func (w *world) applyAll(ctx context.Context, report check.Report, o *outcome) []check.Entry {
	var applied []check.Entry
	incomplete := false
	for _, f := range findings(report) {
		// Nobody runs one statement twice.
		if f.Fix == "" || slices.ContainsFunc(applied, func(e check.Entry) bool { return e.Fix == f.Fix }) {
			continue
		}
		w.script = append(w.script, "-- the fix of "+string(f.Code)+": "+f.Fix)
		err := w.apply(ctx, f)
		switch {
		case errors.Is(err, errNoForm):
			o.notApplied = append(o.notApplied, string(f.Code)+": "+f.Fix)
			incomplete = true
			continue
		case err != nil && incomplete:
			continue
		case err != nil:
			o.disagreements = append(o.disagreements, disagreement{fixRefused, string(f.Code), fmt.Sprintf("%q: %v", f.Fix, err)})
		}
		o.fixesRun = append(o.fixesRun, f.Code)
		applied = append(applied, f)
	}
	return applied
}

// apply does what a fix says. An error that is not errNoForm says what went wrong
// though the fix was run.
func (w *world) apply(ctx context.Context, f check.Entry) error {
	switch {
	case isSQL(f.Fix):
		return w.applySQL(ctx, f, f.Fix)
	case strings.Contains(f.Fix, "pg_hba.conf"):
		return w.applyHBA(ctx, f.Fix)
	case strings.Contains(f.Fix, "of the server itself, not of the pooler"):
		w.target.Endpoint.Port = w.lease.target().Port()
		return nil
	case sendsPrimary(f.Fix):
		return w.applyPrimary(f.Fix)
	case strings.HasPrefix(f.Fix, "send ") || strings.HasPrefix(f.Fix, "leave "):
		return w.applyPayload(f.Fix)
	case strings.HasPrefix(f.Fix, "restart"):
		return w.restart(ctx)
	case strings.Contains(f.Fix, "in the configuration"):
		return w.applyConfiguration(ctx, f.Fix)
	case strings.HasPrefix(f.Fix, "stop "), strings.HasPrefix(f.Fix, "end "):
		return w.applyStop(ctx, f)
	}
	return errNoForm
}

func isSQL(fix string) bool {
	word, _, _ := strings.Cut(fix, " ")
	switch word {
	case "DO", "SELECT", "ALTER", "CREATE", "GRANT", "REVOKE", "DROP":
		return true
	}
	return false
}

// superuser is the role that runs a fix which names it.
const superuser = "postgres"

// runner is the role that a fix names, the caller's where it names none.
func (w *world) runner(f check.Entry) string {
	text := f.Message
	if _, comment, ok := strings.Cut(f.Fix, " -- "); ok {
		text += " " + comment
	}
	_, named, ok := strings.Cut(text, `run the fix as role "`)
	if name, _, closed := strings.Cut(named, `"`); ok && closed {
		return name // the scenes' owners have no quotes in their names
	}
	switch {
	case strings.Contains(text, "superuser"), strings.Contains(text, "administrator"):
		return superuser
	case strings.Contains(text, "owner"):
		return w.names.owner
	case w.target.Endpoint.Username != w.names.role:
		return superuser // there is no such role
	}
	return w.target.Endpoint.Username
}

// applySQL runs a statement as it is printed, and does what its comment says. Where
// the role may not, it is run by the superuser so that the scene goes on.
func (w *world) applySQL(ctx context.Context, f check.Entry, sql string) error {
	_, comment, _ := strings.Cut(sql, " -- ")
	db, server := w.database(), w.lease.primary
	if strings.Contains(comment, "in another database") {
		db = "postgres"
	}
	slot := strings.Contains(sql, "replication_slot(")
	if w.lease.standby != nil && !strings.HasPrefix(comment, "on the primary") && (slot || strings.HasPrefix(sql, "ALTER SYSTEM")) {
		server = w.lease.standby
	}
	run := func(as string) error {
		if server == w.lease.standby && slot {
			return w.onStandby(ctx, db, sql)
		}
		return w.run(ctx, server, db, as, sql)
	}
	as := w.runner(f)
	err := run(as)
	if state := stateOf(err); (state == "42501" || state == "01007") && as != superuser {
		err = errors.Join(fmt.Errorf("role %s may not run it, and no other is named: %w", as, err), run(superuser))
	}
	if f.Code == check.TablesUnreadable && err == nil {
		w.plan.unreadable = false
	}
	if _, payload, ok := strings.Cut(comment, "then send "); ok && err == nil {
		err = w.applyPayload(payload)
	}
	return errors.Join(err, w.afterSQL(ctx, sql, comment, server))
}

// afterSQL does what else a setting needs, if the comment says so.
func (w *world) afterSQL(ctx context.Context, sql, comment string, server *pgserver.Server) error {
	if strings.HasPrefix(sql, "ALTER SYSTEM") {
		w.lease.dirty = true
	}
	switch {
	case strings.Contains(comment, "restart"):
		return w.restart(ctx)
	case strings.Contains(comment, "pg_reload_conf"), strings.Contains(comment, "reload"):
		return server.Reload(ctx)
	case strings.Contains(comment, "send "):
		if err := w.applyPayload(comment); err != nil {
			return err
		}
	}
	return w.caughtUp(ctx)
}

func (w *world) restart(ctx context.Context) error {
	w.lease.dirty = true
	// A fast shutdown waits for walsenders that nobody reads.
	w.closeHeld(ctx)
	if err := w.lease.target().Restart(ctx); err != nil {
		return err
	}
	for _, again := range w.again {
		if err := again(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// applyHBA puts the printed line into pg_hba.conf, where the fix says.
func (w *world) applyHBA(ctx context.Context, fix string) error {
	match := regexp.MustCompile("`([^`]+)`").FindStringSubmatch(fix)
	if match == nil {
		return errNoForm
	}
	line := regexp.MustCompile(`<[^>]*address[^>]*>`).ReplaceAllString(match[1], "127.0.0.1")
	lines := strings.Split(w.lease.hba, "\n")
	if regexp.MustCompile(`\b(above|before|top|first)\b`).MatchString(fix) {
		lines = append([]string{line}, lines...)
	} else {
		lines = append(lines, line)
	}
	return w.lease.setHBA(ctx, lines)
}

// applyConfiguration adds the setting to postgresql.conf, and restarts.
func (w *world) applyConfiguration(ctx context.Context, fix string) error {
	match := regexp.MustCompile(`set (\w+) = (\w+) in the configuration`).FindStringSubmatch(fix)
	if match == nil {
		return errNoForm
	}
	path, err := w.ask(ctx, w.lease.target(), "postgres", "SHOW config_file")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text = fmt.Appendf(text, "%s = '%s'\n", match[1], match[2])
	if err := overwrite(filepath.Dir(path), filepath.Base(path), text); err != nil {
		return err
	}
	return w.restart(ctx)
}

func sendsPrimary(fix string) bool {
	return strings.Contains(fix, "primary") && !isSQL(fix) && (strings.HasPrefix(fix, "send ") || strings.HasPrefix(fix, "leave "))
}

// applyPrimary gives or takes away the primary.
func (w *world) applyPrimary(fix string) error {
	if strings.HasPrefix(fix, "leave primary out") {
		w.target.Primary = nil
		return nil
	}
	if w.lease.standby == nil {
		return errNoForm
	}
	switch {
	case strings.Contains(fix, `"ssl": true`):
		w.target.Primary.SSL = true
		return nil
	case strings.Contains(fix, "primary.ssl_root_cert"):
		w.target.Primary.SSLRootCert = string(w.lease.authority)
		return nil
	}
	primary := w.target.Endpoint
	primary.Port = w.lease.primary.Port()
	w.target.Primary, w.target.Passwords.Primary = &primary, w.target.Passwords.Main
	return nil
}

// applyPayload changes the fields of the request that the fix names.
func (w *world) applyPayload(fix string) error {
	fields := regexp.MustCompile(`"(\w+)": ("(?:[^"\\]|\\.)*"|true|false|\d+)`).FindAllStringSubmatch(fix, -1)
	if len(fields) == 0 && strings.Contains(fix, "ssl_root_cert") {
		w.target.Endpoint.SSLRootCert = string(w.lease.authority)
		return nil
	}
	if len(fields) == 0 {
		return errNoForm
	}
	// What follows "or" is another way.
	changed, err := json.Marshal(w.target.Endpoint)
	if err != nil {
		return err
	}
	endpoint := map[string]json.RawMessage{}
	if err := json.Unmarshal(changed, &endpoint); err != nil {
		return err
	}
	for _, field := range fields {
		switch field[1] {
		case "slot_name":
			err = json.Unmarshal([]byte(field[2]), &w.target.Slot.SlotName)
		case "publication_name":
			err = json.Unmarshal([]byte(field[2]), &w.target.Slot.PublicationName)
		default:
			endpoint[field[1]] = json.RawMessage(field[2])
		}
		if err != nil {
			return err
		}
	}
	if changed, err = json.Marshal(endpoint); err != nil {
		return err
	}
	return json.Unmarshal(changed, &w.target.Endpoint)
}

// applyStop ends the sessions that hold the slot, and runs the statement that
// follows, if there is one.
func (w *world) applyStop(ctx context.Context, f check.Entry) error {
	pids := regexp.MustCompile(`PID (\d+)`).FindAllStringSubmatch(f.Message+" "+f.Fix, -1)
	if len(pids) == 0 {
		return errNoForm
	}
	for _, pid := range pids {
		if _, err := w.ask(ctx, w.lease.target(), "postgres", "SELECT pg_terminate_backend("+pid[1]+")"); err != nil {
			return err
		}
		if err := w.until(ctx, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = "+pid[1]+")"); err != nil {
			return err
		}
	}
	// What it waited for is over: a slot that was being made is made.
	if err := w.until(ctx, w.fill("SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = {slot} AND active AND confirmed_flush_lsn IS NULL AND slot_type = 'logical')")); err != nil {
		return err
	}
	if _, sql, ok := strings.Cut(f.Fix, "run "); ok && isSQL(sql) {
		return w.applySQL(ctx, f, sql)
	}
	return nil
}
