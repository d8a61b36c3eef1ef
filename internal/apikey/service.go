package apikey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/apierror"
)

// ErrUnauthorized is the error of a key that is malformed, unknown, expired or
// revoked. It does not say which.
var ErrUnauthorized = errors.New("unauthorized")

// Store stores keys. The kind of its errors is Throttled or Unavailable (nothing
// was changed), UnknownOutcome, Internal, or one named below.
type Store interface {
	// Insert stores a new key. It is idempotent.
	Insert(ctx context.Context, k Key) error
	// Find returns the key with that hash, even if it is expired or revoked. The
	// read is consistent. The error's kind is NotFound if there is none.
	Find(ctx context.Context, hash string) (Key, error)
	// Revoke marks the account's key with that ID as revoked at that time. A key
	// that is revoked already keeps its time. The error's kind is NotFound if there
	// is none.
	Revoke(ctx context.Context, account, id string, at time.Time) error
}

// Service creates, revokes and checks keys.
type Service struct {
	Store Store
	// Now is the clock.
	Now func() time.Time
}

// Create creates a key. The errors are the store's. After one of kind
// UnknownOutcome, a key may be stored whose text nobody knows.
func (s *Service) Create(ctx context.Context, r CreateRequest) (CreateResponse, error) {
	text, k := New(r.AccountID, r.Name, r.ExpiresAt, s.Now())
	if err := s.Store.Insert(ctx, k); err != nil {
		return CreateResponse{}, fmt.Errorf("insert API key %s: %w", k.ID, err)
	}
	return CreateResponse{
		APIKey: text, ID: k.ID, AccountID: k.Account, Name: k.Name, ExpiresAt: k.ExpiresAt,
	}, nil
}

// Revoke revokes a key. It is idempotent. The error's kind is NotFound if the
// account has no such key; the other errors are the store's.
func (s *Service) Revoke(ctx context.Context, r RevokeRequest) (RevokeResponse, error) {
	err := s.Store.Revoke(ctx, r.AccountID, r.ID, s.Now())
	switch {
	case err == nil:
		return RevokeResponse{Revoked: true}, nil
	case apierror.KindOf(err) == apierror.NotFound:
		summary := fmt.Sprintf("account %q has no API key %q", r.AccountID, r.ID)
		return RevokeResponse{}, apierror.New(apierror.NotFound, summary, err)
	}
	return RevokeResponse{}, fmt.Errorf("revoke API key %s: %w", r.ID, err)
}

// Authorize returns the key with that text if it may be used now, and
// ErrUnauthorized if not. Another error is the store's and says nothing about the
// key.
func (s *Service) Authorize(ctx context.Context, text Text) (Key, error) {
	if !text.wellFormed() {
		return Key{}, ErrUnauthorized
	}
	k, err := s.Store.Find(ctx, text.Hash())
	switch {
	case apierror.KindOf(err) == apierror.NotFound:
		return Key{}, ErrUnauthorized
	case err != nil:
		return Key{}, fmt.Errorf("find API key: %w", err)
	case !k.validAt(s.Now()):
		return Key{}, ErrUnauthorized
	}
	return k, nil
}

// FromHeader returns the key in an Authorization header of the form "Bearer <key>".
// It is empty, which no Service authorizes, if the header has another form.
func FromHeader(header string) Text {
	scheme, rest, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return Text(strings.Trim(rest, " "))
}
