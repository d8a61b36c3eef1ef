package database

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
)

// macBytes is the length to which a cursor's signature is cut.
const macBytes = 16

// Cursor returns the cursor by which a list of d's account continues after d. It
// is opaque, and signed for the account. The error's kind is Throttled,
// Unavailable or Internal.
func (s *Service) Cursor(ctx context.Context, d Database) (string, error) {
	id, err := uuid.Parse(d.ID)
	if err != nil {
		return "", apierror.New(apierror.Internal, "an ID is not a UUID", err)
	}
	mac, err := s.cursorMAC(ctx, d.Account, id)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(id[:], mac...)), nil
}

// openCursor returns the ID that the account's cursor is for, empty if there is no
// cursor.
func (s *Service) openCursor(ctx context.Context, account, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	invalid := apierror.FieldErrors{"cursor": {foreignCursor}}.AsError()
	b, ok := decodeCursor(cursor)
	if !ok {
		return "", invalid
	}
	id := uuid.UUID(b[:len(uuid.UUID{})])
	mac, err := s.cursorMAC(ctx, account, id)
	if err != nil {
		return "", err
	}
	if !hmac.Equal(mac, b[len(id):]) {
		return "", invalid
	}
	return id.String(), nil
}

const foreignCursor = "is not one that this API gave to this account"

// CursorRule returns what is wrong with the form of a cursor, or the empty string. Whether
// the account got it only a list says.
func CursorRule(cursor string) string {
	if _, ok := decodeCursor(cursor); !ok {
		return foreignCursor
	}
	return ""
}

// decodeCursor returns the ID and the signature of a cursor.
func decodeCursor(cursor string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	// The decoder skips line ends.
	return b, err == nil && len(b) == len(uuid.UUID{})+macBytes && base64.RawURLEncoding.EncodeToString(b) == cursor
}

func (s *Service) cursorMAC(ctx context.Context, account string, id uuid.UUID) ([]byte, error) {
	key, err := s.Catalog.CursorKey(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("read cursor key: %w", err)
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(account))
	h.Write(id[:])
	return h.Sum(nil)[:macBytes], nil
}
