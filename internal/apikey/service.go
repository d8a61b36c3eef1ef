package apikey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/apierror"
)

// ErrUnauthorized says that a key is malformed, unknown, expired or revoked, and
// not which.
var ErrUnauthorized = errors.New("unauthorized")

// Store keeps keys. Its errors are *database.Error, of kind Throttled or
// Unavailable, where nothing was changed, UnknownOutcome, or Internal, beside
// those named below.
type Store interface {
	// Insert keeps a new key. An insert of the same key that landed before,
	// unseen, counts as done.
	Insert(ctx context.Context, k Key) error
	// Find is the key with that hash; NotFound where there is none. It may be
	// expired or revoked. The read is consistent.
	Find(ctx context.Context, hash string) (Key, error)
	// Revoke marks the account's key with that ID as revoked at that time;
	// NotFound where there is none. One that was revoked keeps its time.
	Revoke(ctx context.Context, account, id string, at time.Time) error
}

// Service makes, revokes and checks keys.
type Service struct {
	Store Store
	// Now is the clock.
	Now func() time.Time
}

// Create makes a key. The error names every bad field at once (kind Invalid);
// else it is the store's. Where that is of kind UnknownOutcome, a key may have
// been kept that nobody knows.
func (s *Service) Create(ctx context.Context, r CreateRequest) (CreateResponse, error) {
	now := s.Now()
	if err := r.validate(now); err != nil {
		return CreateResponse{}, err
	}
	text, k := New(r.AccountID, r.Name, r.ExpiresAt, now)
	if err := s.Store.Insert(ctx, k); err != nil {
		return CreateResponse{}, fmt.Errorf("keeping API key %s: %w", k.ID, err)
	}
	return CreateResponse{
		APIKey: text, ID: k.ID, AccountID: k.Account, Name: k.Name, ExpiresAt: k.ExpiresAt,
	}, nil
}

// Revoke ends a key. One that was revoked before counts as done; the error of an
// unknown one, or of another account's, is of kind NotFound.
func (s *Service) Revoke(ctx context.Context, r RevokeRequest) (RevokeResponse, error) {
	if err := r.validate(); err != nil {
		return RevokeResponse{}, err
	}
	err := s.Store.Revoke(ctx, r.AccountID, r.ID, s.Now())
	switch {
	case err == nil:
		return RevokeResponse{Revoked: true}, nil
	case apierror.KindOf(err) == apierror.NotFound:
		summary := fmt.Sprintf("account %q has no API key %q", r.AccountID, r.ID)
		return RevokeResponse{}, apierror.New(apierror.NotFound, summary, err)
	}
	return RevokeResponse{}, fmt.Errorf("revoking API key %s: %w", r.ID, err)
}

// Authorize is the key that text is, if it may be used now, and otherwise
// ErrUnauthorized. An error of the store is neither: it says nothing of the key.
func (s *Service) Authorize(ctx context.Context, text Text) (Key, error) {
	if !text.wellFormed() {
		return Key{}, ErrUnauthorized
	}
	k, err := s.Store.Find(ctx, text.Hash())
	switch {
	case apierror.KindOf(err) == apierror.NotFound:
		return Key{}, ErrUnauthorized
	case err != nil:
		return Key{}, fmt.Errorf("looking for an API key: %w", err)
	case !k.goodAt(s.Now()):
		return Key{}, ErrUnauthorized
	}
	return k, nil
}

// FromHeader is the key in an Authorization header, "Bearer <key>". It is empty,
// which no Service authorises, where the header has another form.
func FromHeader(header string) Text {
	scheme, rest, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return Text(strings.Trim(rest, " "))
}
