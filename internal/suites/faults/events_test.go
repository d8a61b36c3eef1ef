package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/provision"
)

// checkEvents fails unless the event was answered, and every answer names the one
// stored database.
func (o operation) checkEvents(ctx context.Context, s *stack) error {
	if !o.byEvent {
		return nil
	}
	d, err := s.direct.Get(ctx, account, o.to.name)
	if err != nil {
		return err
	}
	created, err := s.proxy.createdEvents()
	if err != nil {
		return err
	}
	if len(created) == 0 {
		return errors.New("the event was not answered")
	}
	for _, c := range created {
		if c.RequestID != eventID || c.AccountID != account || c.Database.ID != d.ID {
			return fmt.Errorf("the event was answered with database %s for %s, want %s", c.Database.ID, c.RequestID, d.ID)
		}
	}
	return nil
}

// createdEvents returns the details of the events about created databases that
// were put on the bus.
func (p *proxy) createdEvents() ([]provision.Created, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []provision.Created
	for _, body := range p.put {
		var in struct {
			Entries []struct{ DetailType, Detail string }
		}
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			return nil, err
		}
		for _, e := range in.Entries {
			if e.DetailType != provision.CreatedType {
				continue
			}
			var c provision.Created
			if err := json.Unmarshal([]byte(e.Detail), &c); err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// checkCustomerSecret fails unless the customer's secret is unchanged.
func (o operation) checkCustomerSecret(ctx context.Context, s *stack) error {
	if !o.byEvent {
		return nil
	}
	password, err := s.readPassword(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(s.theirs())})
	if err != nil {
		return fmt.Errorf("%w: the customer's: %w", errLost, err)
	}
	if password != firstSecret {
		return fmt.Errorf("%w: the customer's has changed", errLost)
	}
	return nil
}

// readPassword returns the password in a secret.
func (s *stack) readPassword(ctx context.Context, in *secretsmanager.GetSecretValueInput) (database.Password, error) {
	value, err := s.Secrets.GetSecretValue(ctx, in)
	if err != nil {
		return "", err
	}
	var login struct{ Password database.Password }
	err = json.Unmarshal([]byte(aws.ToString(value.SecretString)), &login)
	return login.Password, err
}
