package faults_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/testkit/deployment"
)

// The violations that the figures count. Other failures have no name.
var (
	errOrphan  = errors.New("an orphaned secret remains")
	errLost    = errors.New("a password is lost")
	errBlocked = errors.New("a name is blocked")
	errHalf    = errors.New("an incomplete state can be read")
)

// checkReads fails if a reader sees neither the state before nor the one after.
// It reads twice, since a change between the reads of two names looks like an
// incomplete state.
func (o operation) checkReads(ctx context.Context, s *stack) error {
	err := o.checkReadsOnce(ctx, s)
	if errors.Is(err, errHalf) {
		err = o.checkReadsOnce(ctx, s)
	}
	return err
}

func (o operation) checkReadsOnce(ctx context.Context, s *stack) error {
	seen := 0
	for _, name := range []string{firstName, secondName} {
		d, err := s.direct.Get(ctx, account, name)
		if err != nil && apierror.KindOf(err) == apierror.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		seen++
		p, err := s.direct.Passwords(ctx, d)
		if err != nil {
			return fmt.Errorf("%w: %w", errLost, err)
		}
		if got := (state{d.Name, p.Main}); got != o.from && got != o.to || d.Name != name {
			return fmt.Errorf("%w: %s under %s", errHalf, d.Name, name)
		}
	}
	if always := o.from.name != "" && o.to.name != ""; seen > 1 || always && seen == 0 {
		return fmt.Errorf("%w: %d databases", errHalf, seen)
	}
	return nil
}

// checkStores fails unless the stores hold exactly the state after the operation.
func (o operation) checkStores(ctx context.Context, s *stack) error {
	c, err := s.Contents(ctx)
	if err != nil {
		return err
	}
	want := 0
	if o.to.name != "" {
		want = 1
	}
	if len(c.Databases) != want {
		return fmt.Errorf("%d databases, want %d", len(c.Databases), want)
	}
	if len(c.Names) != want {
		return fmt.Errorf("%w: names %v", errBlocked, c.Names)
	}
	if len(c.Secrets) > want {
		return fmt.Errorf("%w: secrets %v", errOrphan, c.Secrets)
	}
	if want == 0 {
		return nil
	}
	return o.checkDatabase(ctx, s, c)
}

// checkDatabase fails unless the one database has its name, and its one secret the
// password in the version that the database names.
func (o operation) checkDatabase(ctx context.Context, s *stack, c deployment.Contents) error {
	id := strings.TrimPrefix(deployment.Text(c.Databases[0]["SK"]), "database#")
	if c.Names[o.to.name] != id {
		return fmt.Errorf("%w: names %v for database %s", errBlocked, c.Names, id)
	}
	name := s.Prefix + "/" + account + "/" + id
	if o.to.password == "" { // by reference
		if version := deployment.Text(c.Databases[0]["secret_version"]); len(c.Secrets) != 0 || version != "" {
			return fmt.Errorf("%w: secrets %v, version %q", errOrphan, c.Secrets, version)
		}
		return nil
	}
	if len(c.Secrets) != 1 || c.Secrets[0] != name {
		return fmt.Errorf("%w: secrets %v, want %s", errLost, c.Secrets, name)
	}
	version := deployment.Text(c.Databases[0]["secret_version"])
	password, err := s.readPassword(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name, VersionId: &version})
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	if password != o.to.password {
		return fmt.Errorf("%w: its version has another one", errLost)
	}
	return nil
}

// checkNames fails unless the stored database can be deleted, and then every name
// can be used.
func (o operation) checkNames(ctx context.Context, s *stack) error {
	for _, name := range []string{firstName, secondName} {
		if name == o.to.name {
			if _, err := s.direct.Delete(ctx, account, name, database.DeleteOptions{}); err != nil {
				return fmt.Errorf("%w: %w", errBlocked, err)
			}
		}
		p := maps.Clone(s.plain)
		p["name"] = name
		if err := createAs(ctx, s.direct.Service, p, ""); err != nil {
			return fmt.Errorf("%w: %w", errBlocked, err)
		}
	}
	return nil
}
