package database

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// TestConnection checks the target of a registered database. A failed check is
// in the report; the error's kind is NotFound, Throttled, Unavailable or
// Internal.
func (s *Service) TestConnection(ctx context.Context, account, ref string) (check.Report, error) {
	d, err := s.Get(ctx, account, ref)
	if err != nil {
		return nil, err
	}
	t, report, err := s.targetOf(ctx, d)
	if err != nil || report != nil {
		return report, err
	}
	shared := s.startShared(ctx, d)
	x := s.Prober.Probe(ctx, t)
	report, err = s.sharedReport(ctx, shared, x)
	s.noteSource(ctx, d, x.Source)
	if busy := x.busy(); busy != nil {
		return report, busy
	}
	return report, err
}

// noteSource records the server of a database that was registered when it was not
// known, or that has moved to another server, so that its slot is known. It is not worth
// failing a request: the next one tries again.
func (s *Service) noteSource(ctx context.Context, d Database, source Source) {
	if source == (Source{}) || source == d.Source {
		return
	}
	next := d
	var err error
	if next.Change, err = newID(); err != nil {
		return
	}
	next.Source, next.Version, next.UpdatedAt = source, d.Version+1, s.Now().UTC()
	next.ChangedBy, next.ChangedPasswords = originOf(ctx), nil
	note := func(ctx context.Context) error {
		err := s.writeSharing(ctx, &next, func(options ...WriteOption) error {
			return s.Catalog.Update(ctx, d, next, options...)
		}, nil)
		if errors.Is(err, ErrVersionConflict) || errors.Is(err, ErrSlotHeld) {
			return nil // the other request knows the server, or the next check does
		}
		return err
	}
	s.cleanup(ctx, "the server of a database is not recorded", note, "database", d.ID)
}

// passwordUnavailable returns the report of a target that was not dialled
// because the secrets with its passwords can't be read.
func passwordUnavailable(faults apierror.FieldErrors) check.Report {
	var reasons []string
	for field, messages := range faults {
		reasons = append(reasons, field+" "+strings.Join(messages, ", "))
	}
	slices.Sort(reasons)
	message := "there is no password to log in with: " + strings.Join(reasons, "; ")
	return onlyChecks(check.Fail(check.Authentication, check.AuthenticationFailed, message, ""))
}
