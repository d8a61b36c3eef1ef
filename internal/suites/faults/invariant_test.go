package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// What a cell may find. Anything else that is wrong is a failure without one of
// these names.
var (
	errOrphan  = errors.New("an orphan is left")
	errLost    = errors.New("a password is lost")
	errBlocked = errors.New("a name is blocked")
	errHalf    = errors.New("a half state can be read")
)

// whole fails where a reader sees neither the state before nor the one after. A
// change that lands between the reads of two names is no half state: so it looks
// twice.
func (o operation) whole(ctx context.Context, s *stack) error {
	err := o.wholeNow(ctx, s)
	if errors.Is(err, errHalf) {
		err = o.wholeNow(ctx, s)
	}
	return err
}

func (o operation) wholeNow(ctx context.Context, s *stack) error {
	seen := 0
	for _, name := range []string{firstName, secondName} {
		d, err := s.direct.Get(ctx, account, name)
		if apierror.KindOf(err) == apierror.NotFound && err != nil {
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
	if some := o.from.name != "" && o.to.name != ""; seen > 1 || some && seen == 0 {
		return fmt.Errorf("%w: %d databases", errHalf, seen)
	}
	return nil
}

// contents are a stack's stores, read without the service.
type contents struct {
	databases []map[string]types.AttributeValue
	names     map[string]string // the ID by the name
	secrets   []string          // of the secrets that are not scheduled for deletion
}

func (s *stack) read(ctx context.Context) (contents, error) {
	c := contents{names: map[string]string{}}
	table, err := s.dynamo.Scan(ctx, &dynamodb.ScanInput{TableName: &s.table, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return c, err
	}
	for _, item := range table.Items {
		switch key := text(item["SK"]); {
		case strings.HasPrefix(key, "database#"):
			c.databases = append(c.databases, item)
		case strings.HasPrefix(key, "name#"):
			c.names[strings.TrimPrefix(key, "name#")] = text(item["database_id"])
		}
	}
	pages := secretsmanager.NewListSecretsPaginator(s.secrets, &secretsmanager.ListSecretsInput{
		MaxResults: aws.Int32(100),
		Filters:    []smtypes.Filter{{Key: smtypes.FilterNameStringTypeName, Values: []string{s.prefix + "/"}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return c, err
		}
		for _, entry := range page.SecretList {
			if name := aws.ToString(entry.Name); strings.HasPrefix(name, s.prefix+"/") {
				c.secrets = append(c.secrets, name)
			}
		}
	}
	return c, nil
}

func text(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// settled fails unless the stores hold the state after the operation and nothing
// else.
func (o operation) settled(ctx context.Context, s *stack) error {
	c, err := s.read(ctx)
	if err != nil {
		return err
	}
	want := 0
	if o.to.name != "" {
		want = 1
	}
	if len(c.databases) != want {
		return fmt.Errorf("%d databases, want %d", len(c.databases), want)
	}
	if len(c.names) != want {
		return fmt.Errorf("%w: names %v", errBlocked, c.names)
	}
	if len(c.secrets) > want {
		return fmt.Errorf("%w: secrets %v", errOrphan, c.secrets)
	}
	if want == 0 {
		return nil
	}
	return o.kept(ctx, s, c)
}

// kept fails unless the one database has its name, and its one secret the
// password in the version that the database names.
func (o operation) kept(ctx context.Context, s *stack, c contents) error {
	id := strings.TrimPrefix(text(c.databases[0]["SK"]), "database#")
	if c.names[o.to.name] != id {
		return fmt.Errorf("%w: names %v for database %s", errBlocked, c.names, id)
	}
	name := s.prefix + "/" + account + "/" + id
	if len(c.secrets) != 1 || c.secrets[0] != name {
		return fmt.Errorf("%w: secrets %v, want %s", errLost, c.secrets, name)
	}
	version := text(c.databases[0]["secret_version"])
	value, err := s.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name, VersionId: &version})
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	var login struct{ Password database.Password }
	if err := json.Unmarshal([]byte(aws.ToString(value.SecretString)), &login); err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	if login.Password != o.to.password {
		return fmt.Errorf("%w: another is in its place", errLost)
	}
	return nil
}

// usable fails unless every name that is to be free can be taken.
func (o operation) usable(ctx context.Context, s *stack) error {
	for _, name := range []string{firstName, secondName} {
		if name == o.to.name {
			if _, err := s.direct.Delete(ctx, account, name); err != nil {
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
