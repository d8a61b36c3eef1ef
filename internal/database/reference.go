package database

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/headgate/headgate/internal/apierror"
)

// References opens passwords that are kept elsewhere.
type References interface {
	// Open gives what the secret has. The error's kind is NotFound where there is
	// no such secret or its owner did not share it with the account, whose value
	// is then never read; Invalid, with a summary that says so, where it can't
	// be read or has another form; Throttled, Unavailable or Internal.
	Open(ctx context.Context, account, arn string) (Referenced, error)
}

// Referenced is what a secret in the RDS form has. Host is empty and Port 0 where
// it has none.
type Referenced struct {
	Username string
	Password Password
	Host     string
	Port     int
}

// resolve gives t as it is dialled: with the passwords, and the user names that
// were left to secrets, of the secrets that it names. What is wrong with one is
// that field's error.
func (s *Service) resolve(ctx context.Context, account string, t Target) (Target, error) {
	faults := apierror.FieldErrors{}
	if err := s.open(ctx, account, &t.Endpoint, &t.Passwords.Main, "", faults); err != nil {
		return t, err
	}
	if t.Primary != nil {
		primary := *t.Primary
		t.Primary = &primary
		if err := s.open(ctx, account, &primary, &t.Passwords.Primary, "primary.", faults); err != nil {
			return t, err
		}
	}
	return t, faults.AsError()
}

func (s *Service) open(ctx context.Context, account string, e *Endpoint, p *Password, prefix string, faults apierror.FieldErrors) error {
	if e.PasswordSecretARN == "" {
		return nil
	}
	r, err := s.References.Open(ctx, account, e.PasswordSecretARN)
	field := prefix + secretARN
	switch {
	case err == nil:
	case apierror.KindOf(err) == apierror.NotFound:
		faults.Add(field, "names no secret that is shared with this account by the tag headgate:shared-with")
		return nil
	case apierror.KindOf(err) == apierror.Invalid:
		refused, _ := errors.AsType[*apierror.Error](err)
		faults.Add(field, refused.Summary)
		return nil
	default:
		return fmt.Errorf("opening a referenced secret: %w", err)
	}
	if r.Host != "" && !sameHost(r.Host, e.Hostname) || r.Port != 0 && r.Port != e.Port {
		faults.Add(field, "names a secret of another host or port than the request's")
		return nil
	}
	if e.UsernameFromSecret {
		if problem := identifierRule(r.Username); problem != "" {
			faults.Add(field, "names a secret whose username "+problem)
			return nil
		}
		e.Username = r.Username
	}
	*p = r.Password
	return nil
}

func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// learnNames takes over the user names that secrets gave, for the object to show.
func learnNames(e *Endpoint, primary *Endpoint, t Target) *Endpoint {
	e.Username = t.Endpoint.Username
	if primary == nil || t.Primary == nil {
		return primary
	}
	p := *primary
	p.Username = t.Primary.Username
	return &p
}
