package localstore

import (
	"context"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// Open rejects every reference, because the secrets are in AWS.
func (s *Store) Open(context.Context, string, string) (database.Referenced, error) {
	return database.Referenced{}, apierror.New(apierror.Invalid, "can't be opened here: there is no AWS Secrets Manager; send the password", nil)
}
