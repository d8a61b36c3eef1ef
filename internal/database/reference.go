package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
)

// resolve returns t as it is dialled: with the passwords from the secrets that it
// names, and with the user names that are left to them, or with tokens in place of
// passwords. What is wrong with a secret is the error of the field that names it.
func (s *Service) resolve(ctx context.Context, account string, t Target) (Target, error) {
	faults := apierror.FieldErrors{}
	if err := s.open(ctx, account, &t.Endpoint, &t.Passwords.Main, "", faults); err != nil {
		return Target{}, err
	}
	if t.Primary != nil {
		primary := *t.Primary
		t.Primary = &primary
		if err := s.open(ctx, account, &primary, &t.Passwords.Primary, "primary.", faults); err != nil {
			return Target{}, err
		}
	}
	return t, faults.AsError()
}

// openNew opens the secrets that u's database did not name before. A password that is
// stored would be gone for one that can't be read.
func (s *Service) openNew(ctx context.Context, u *update) error {
	faults := apierror.FieldErrors{}
	open := func(old, next *Endpoint, prefix string) error {
		var password Password
		if next == nil || next.PasswordSecretARN == "" || old != nil && old.PasswordSecretARN == next.PasswordSecretARN {
			return nil
		}
		return s.open(ctx, u.next.Account, next, &password, prefix, faults)
	}
	t := u.target()
	if t.Primary != nil {
		primary := *t.Primary
		t.Primary = &primary
	}
	if err := cmp.Or(open(&u.old.Endpoint, &t.Endpoint, ""), open(u.old.Primary, t.Primary, "primary."), faults.AsError()); err != nil {
		return err
	}
	u.next.setTarget(t) // the user names may be from the secrets
	return nil
}

func (s *Service) open(ctx context.Context, account string, e *Endpoint, p *Password, prefix string, faults apierror.FieldErrors) error {
	if e.ByIAM() {
		return s.signIn(ctx, account, *e, p, prefix, faults)
	}
	if e.PasswordSecretARN == "" {
		return nil
	}
	secret, err := s.References.Open(ctx, account, e.PasswordSecretARN)
	if err != nil {
		problem, ok := refusal(err)
		if !ok {
			return fmt.Errorf("open secret of %spassword: %w", prefix, err)
		}
		faults.Add(prefix+secretARN, problem)
		return nil
	}
	if problem := secret.fill(e); problem != "" {
		faults.Add(prefix+secretARN, problem)
		return nil
	}
	*p = secret.Password
	return nil
}

// refusal returns what to say about a secret that can't be used, and whether that
// is the caller's fault.
func refusal(err error) (problem string, ok bool) {
	e, _ := errors.AsType[*apierror.Error](err)
	switch apierror.KindOf(err) {
	case apierror.NotFound:
		return "names no secret that is shared with this account by the tag headgate:shared-with", true
	case apierror.Invalid:
		return e.Summary, true
	}
	return "", false
}

// fill completes e with the secret's user name, or returns why the secret can't be
// e's.
func (r Referenced) fill(e *Endpoint) (problem string) {
	if !sameHost(r.Host, e.Hostname) || r.Port != e.Port {
		return "names a secret of another host or port than the request's: its owner chooses them, in the secret or by the tag headgate:host"
	}
	if problem := passwordRule(r.Password.Reveal()); problem != "" {
		return "names a secret whose password " + problem
	}
	if !e.UsernameFromSecret {
		return ""
	}
	if problem := identifierRule(r.Username); problem != "" {
		return "names a secret whose username " + problem
	}
	e.Username = r.Username
	return ""
}

// sameHost reports whether a and b are the same host. An empty one is like no other.
func sameHost(a, b string) bool {
	if x, err := netip.ParseAddr(a); err == nil {
		y, err := netip.ParseAddr(b)
		return err == nil && x == y
	}
	if a == "" {
		return false
	}
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// withUsernames returns t with the user names of dialled, which may be from
// secrets: the database object shows them.
func (t Target) withUsernames(dialled Target) Target {
	t.Endpoint.Username = dialled.Endpoint.Username
	if t.Primary != nil && dialled.Primary != nil {
		primary := *t.Primary
		primary.Username = dialled.Primary.Username
		t.Primary = &primary
	}
	return t
}
