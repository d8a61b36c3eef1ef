package faults_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/database"
)

// checkEvents fails unless the stored database names the event that requested it,
// which is published with it.
func (o operation) checkEvents(ctx context.Context, s *stack) error {
	if !o.byEvent {
		return nil
	}
	d, err := s.direct.Get(ctx, account, o.to.name)
	if err == nil && d.ChangedBy != (database.Origin{RequestID: eventID}) {
		err = fmt.Errorf("database %s was made by %+v, want the event", d.ID, d.ChangedBy)
	}
	return err
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
