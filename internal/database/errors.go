package database

import (
	"errors"

	"github.com/headgate/headgate/internal/apierror"
)

// What a catalog returns for a conditional write whose condition did not hold.
var (
	// ErrNameTaken: another database of the account has the name.
	ErrNameTaken = errors.New("name taken")
	// ErrVersionConflict: the database is at another version than was read.
	ErrVersionConflict = errors.New("version conflict")
	// ErrClaimLost: the idempotency key is another request's now.
	ErrClaimLost = errors.New("claim lost")
)

// nameTaken returns the error of a request whose name another database has.
func nameTaken(name string) *apierror.Error {
	return &apierror.Error{
		Kind: apierror.Invalid, Code: apierror.NameTaken,
		Summary: `a database named "` + name + `" exists already`,
		Fields:  apierror.FieldErrors{"name": {"has already been taken"}},
	}
}
