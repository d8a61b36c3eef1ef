package apikey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	// read is consistent. The error's kind is NotFound if it does not exist.
	Find(ctx context.Context, hash string) (Key, error)
	// Revoke marks the account's key with that ID as revoked at that time. A key
	// that is revoked already keeps its time. The error's kind is NotFound if it
	// does not exist.
	Revoke(ctx context.Context, account, id string, at time.Time) error
	// List returns the account's keys in no particular order, with those that are
	// expired or revoked.
	List(ctx context.Context, account string) ([]Key, error)
	// RecordUse notes that the key with that hash was used on a day, unless a later
	// or the same day is noted. It does nothing if there is no such key.
	RecordUse(ctx context.Context, hash, day string) error
}

// Service creates, lists, revokes and checks keys.
type Service struct {
	Store Store
	// Now is the clock.
	Now func() time.Time
}

// Create creates a key. The errors are the store's. After one of kind
// UnknownOutcome, a key may be stored whose text nobody knows.
func (s *Service) Create(ctx context.Context, r CreateRequest) (CreateResponse, error) {
	text, k := New(r, s.Now())
	if err := s.Store.Insert(ctx, k); err != nil {
		return CreateResponse{}, fmt.Errorf("insert API key %s: %w", k.ID, err)
	}
	return CreateResponse{
		APIKey: text, ID: k.ID, AccountID: k.Account, Name: k.Name, ExpiresAt: k.ExpiresAt, Scopes: k.Scopes,
	}, nil
}

// List returns the keys of an account, with those that are expired or revoked. The
// errors are the store's.
func (s *Service) List(ctx context.Context, r ListRequest) (ListResponse, error) {
	keys, err := s.Store.List(ctx, r.AccountID)
	if err != nil {
		return ListResponse{}, fmt.Errorf("list API keys of account %q: %w", r.AccountID, err)
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	return ListResponse{APIKeys: append([]Key{}, keys...)}, nil // an empty list, not null
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

// recordTimeout bounds RecordUse: the caller of the API waits for it.
const recordTimeout = 500 * time.Millisecond

// RecordUse notes that a key was used today. It writes only on the first use of a
// day, and takes at most half a second. The errors are the store's.
func (s *Service) RecordUse(ctx context.Context, k Key) error {
	today := s.Now().UTC().Format(time.DateOnly)
	if k.LastUsedOn >= today {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if err := s.Store.RecordUse(ctx, k.Hash, today); err != nil {
		return fmt.Errorf("record the use of API key %s: %w", k.ID, err)
	}
	return nil
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
