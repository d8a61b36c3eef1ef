package deployment

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// maxSecrets is the size of a page of secrets.
const maxSecrets = 100

// Contents is what a stack's stores hold, read without headgate.
type Contents struct {
	// Items has all items of the table but tombstones, which stay after a delete.
	// Databases has those that are databases.
	Items, Databases []map[string]types.AttributeValue
	// Names maps each reserved name to its database's ID.
	Names map[string]string
	// Secrets has the names of the secrets that are not scheduled for deletion.
	Secrets []string
}

// Contents reads the stack's stores.
func (s *Stack) Contents(ctx context.Context) (Contents, error) {
	c := Contents{Names: map[string]string{}}
	table, err := s.DynamoDB.Scan(ctx, &dynamodb.ScanInput{TableName: &s.Table, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return c, fmt.Errorf("scan table %s: %w", s.Table, err)
	}
	for _, item := range table.Items {
		key := Text(item["SK"])
		if strings.HasPrefix(key, "deleted#") {
			continue
		}
		c.Items = append(c.Items, item)
		if strings.HasPrefix(key, "database#") {
			c.Databases = append(c.Databases, item)
		} else if name, ok := strings.CutPrefix(key, "name#"); ok {
			c.Names[name] = Text(item["database_id"])
		}
	}
	prefix := s.Prefix + "/"
	pages := secretsmanager.NewListSecretsPaginator(s.Secrets, &secretsmanager.ListSecretsInput{
		MaxResults: aws.Int32(maxSecrets),
		Filters:    []smtypes.Filter{{Key: smtypes.FilterNameStringTypeName, Values: []string{prefix}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return c, fmt.Errorf("list secrets of %s: %w", s.Prefix, err)
		}
		for _, entry := range page.SecretList {
			if name := aws.ToString(entry.Name); strings.HasPrefix(name, prefix) {
				c.Secrets = append(c.Secrets, name)
			}
		}
	}
	return c, nil
}

// Empty reports whether the stores hold nothing.
func (c Contents) Empty() bool { return len(c.Items) == 0 && len(c.Secrets) == 0 }

// JSON returns the items as JSON.
func (c Contents) JSON() (string, error) {
	text, err := json.Marshal(c.Items)
	return string(text), err
}

// Text returns the value of a string attribute, or nothing for another type.
func Text(value types.AttributeValue) string {
	if s, ok := value.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}
