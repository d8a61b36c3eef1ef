package database

import (
	"context"
	"fmt"
	"slices"

	"github.com/headgate/headgate/internal/check"
)

// slotShared returns the warning that databases of d's account have d's slot too, and
// whether there are any. Those of other accounts are not told.
func slotShared(d Database, users []SlotUser) (check.Warning, bool) {
	others := othersOf(d, users)
	if others == "" {
		return check.Warning{}, false
	}
	return check.Warning{
		Name: check.ReplicationSlot, Code: check.SlotShared,
		Message: fmt.Sprintf("replication slot %q is registered for %s too: a slot sends each change to one consumer only", d.Slot.SlotName, others),
		Fix:     "create a slot of its own for this database and send its name as slot_name, or delete the registration that is not needed",
	}, true
}

// othersOf names those of users that are other databases of d's account, empty for none.
func othersOf(d Database, users []SlotUser) string {
	var names []string
	for _, u := range users {
		if u.Account == d.Account && u.DatabaseID != d.ID {
			names = append(names, u.Name)
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("database %q", names[0])
	}
	return fmt.Sprintf("database %q and at least one more of this account", names[0])
}

// slotKept says that d's slot is not dropped because others have it, which may be of other
// accounts.
func slotKept(d Database, others []SlotUser) string {
	who := "another database"
	if mine := othersOf(d, others); mine != "" {
		who = mine
	}
	return fmt.Sprintf("replication slot %q is registered for %s too: it is not dropped", d.Slot.SlotName, who)
}

// leftOn returns what d leaves on its target, where publication is "" if that is still
// needed. A slot that another database has comes with the reason in place of statements.
func (s *Service) leftOn(ctx context.Context, d Database, publication string) *LeftOnTarget {
	left := &LeftOnTarget{SlotName: d.Slot.SlotName, PublicationName: d.Slot.PublicationName}
	others, err := s.others(ctx, d)
	switch {
	case err != nil:
		s.Log.WarnContext(ctx, "the users of a replication slot are not known", "database", d.ID, "error", err)
		left.Fix = fmt.Sprintf("whether replication slot %q is registered for another database could not be looked up: make sure that nobody needs it before you drop it", d.Slot.SlotName)
	case len(others) > 0:
		left.Fix = slotKept(d, others)
	default:
		t := d.target(Passwords{})
		t.Slot.PublicationName = publication
		left.Fix = s.Maker.DropStatements(t)
	}
	return left
}

// startLeft begins leftOn for d, which is deleted meanwhile, and returns the function that
// waits for the result.
func (s *Service) startLeft(ctx context.Context, d Database) func() *LeftOnTarget {
	left := make(chan *LeftOnTarget, 1)
	go func() { left <- s.leftOn(ctx, d, d.Slot.PublicationName) }()
	return func() *LeftOnTarget { return <-left }
}

// others returns a database other than d that has d's slot, of d's account if there is
// one, and nothing where d's server is not known.
func (s *Service) others(ctx context.Context, d Database) ([]SlotUser, error) {
	recorded, err := s.slotUsers(ctx, d)
	if err != nil {
		return nil, err
	}
	return s.existing(ctx, d, Database.SlotKey, recorded, []SlotUser{d.user()}, 1)
}

func (s *Service) slotUsers(ctx context.Context, d Database) ([]SlotUser, error) {
	key := d.SlotKey()
	if key == "" {
		return nil, nil
	}
	users, err := s.Catalog.SlotUsers(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read the users of the slot of database %s: %w", d.ID, err)
	}
	return users, nil
}

// sharing returns up to 2 of the recorded users of d's slot that are other databases of
// d's account. Those of other accounts are not told, so they are not read.
func (s *Service) sharing(ctx context.Context, d Database, recorded []SlotUser) ([]SlotUser, error) {
	mine := slices.DeleteFunc(slices.Clone(recorded), func(u SlotUser) bool { return u.Account != d.Account })
	return s.existing(ctx, d, Database.SlotKey, mine, []SlotUser{d.user()}, 2)
}

// sharedWarning is a lookup of the warning that other databases of an account have a slot.
type sharedWarning struct {
	database Database
	warning  check.Warning
	found    bool
	err      error
	done     chan struct{}
}

// startShared begins the lookup for d while its target is examined. Where d's server is
// not known, there is nothing to look up yet.
func (s *Service) startShared(ctx context.Context, d Database) *sharedWarning {
	w := &sharedWarning{database: d, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		users, err := s.slotUsers(ctx, d)
		if err == nil {
			users, err = s.sharing(ctx, d, users)
		}
		w.err = err
		w.warning, w.found = slotShared(d, users)
	}()
	return w
}

// ofSource waits for w and returns the warnings that w found, on the server that an
// examination has found. There are none where the server was not reached or does not tell
// which one it is.
func (s *Service) ofSource(ctx context.Context, w *sharedWarning, source Source) ([]check.Warning, error) {
	<-w.done
	if source != (Source{}) && source != w.database.Source {
		w.database.Source = source
		w = s.startShared(ctx, w.database)
		<-w.done
	}
	if source == (Source{}) || w.err != nil || !w.found {
		return nil, w.err
	}
	return []check.Warning{w.warning}, nil
}

// sharedReport waits for w and returns x's report with what w found.
func (s *Service) sharedReport(ctx context.Context, w *sharedWarning, x Examination) (check.Report, error) {
	warnings, err := s.ofSource(ctx, w, x.Source)
	report := x.Report
	for _, warning := range warnings {
		report = withWarning(report, warning)
	}
	return report, err
}

// withWarning returns report with the warning about a shared slot after the other findings
// of its check. A fix that would make the slot anew is replaced by the warning's: the
// changes that would be lost are the other databases' too.
func withWarning(report check.Report, w check.Warning) check.Report {
	var findings check.Report
	report = slices.Clone(report)
	for i, e := range report {
		if e.Fix != "" && (e.Code == check.PublicationAfterSlot || e.Code == check.DecodingFailed) {
			report[i].Fix = w.Fix
		}
		if e.Name == w.Name && (e.Status == check.Failed || e.Status == check.Warned) {
			findings = append(findings, e)
		}
	}
	return merged(report, append(findings, check.Warn(w.Name, w.Code, w.Message, w.Fix)))
}
