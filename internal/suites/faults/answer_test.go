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

// told fails unless the event was answered with the one database that is kept,
// and no answer names another; and unless the secret that is not ours is as it
// was. It looks at the stores when the operation has settled.
func (o operation) told(ctx context.Context, s *stack) error {
	if !o.byEvent {
		return nil
	}
	d, err := s.direct.Get(ctx, account, o.to.name)
	if err != nil {
		return err
	}
	created, err := s.proxy.created()
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

// created are the details of the events that the bus took of databases that
// were registered.
func (p *proxy) created() ([]provision.Created, error) {
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

// leftAlone fails unless the secret that is not ours has its password still.
func (o operation) leftAlone(ctx context.Context, s *stack) error {
	if !o.byEvent {
		return nil
	}
	value, err := s.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(s.theirs())})
	if err != nil {
		return fmt.Errorf("%w, of a secret that is not ours: %w", errLost, err)
	}
	var login struct{ Password database.Password }
	if err := json.Unmarshal([]byte(aws.ToString(value.SecretString)), &login); err != nil || login.Password != firstSecret {
		return fmt.Errorf("%w, of a secret that is not ours", errLost)
	}
	return nil
}
