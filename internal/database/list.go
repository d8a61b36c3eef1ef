package database

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/headgate/headgate/internal/apierror"
)

// mostListBytes bounds the objects of one list: a Lambda answers with at most
// 6 MB.
const mostListBytes = 5_000_000

// ListOptions say which part of a list is wanted.
type ListOptions struct {
	Limit     int // 0 for all of them
	Cursor    string
	Sensitive bool
}

// Page is a part of a list: the objects in JSON, in the order of their creation,
// and the cursor of what follows, empty where nothing does.
type Page struct {
	Objects []json.RawMessage
	Next    string
	// IDs are those of the objects, and Revealed those whose passwords are shown.
	IDs, Revealed []string
}

// List gives the account's databases: as many as were asked for, or as fit into
// 5 MB. The error's kind is Invalid (a cursor that is not ours), Throttled,
// Unavailable or Internal.
func (s *Service) List(ctx context.Context, account string, o ListOptions) (Page, error) {
	after, err := s.openCursor(ctx, account, o.Cursor)
	if err != nil {
		return Page{}, err
	}
	const chunk = 1000
	page := Page{Objects: []json.RawMessage{}}
	size, last := 0, ""
	for {
		want := chunk
		if o.Limit > 0 {
			want = min(chunk, o.Limit-len(page.Objects)+1) // one more tells whether more follow
		}
		ds, err := s.Catalog.List(ctx, account, after, want)
		if err != nil {
			return Page{}, fmt.Errorf("listing: %w", err)
		}
		passwords, err := s.listPasswords(ctx, ds, o.Sensitive)
		if err != nil {
			return Page{}, err
		}
		for i, d := range ds {
			object, err := encode(d, passwords[i])
			if err != nil {
				return Page{}, err
			}
			if full := o.Limit > 0 && len(page.Objects) == o.Limit; full || size+len(object) > mostListBytes {
				page.Next, err = s.sealCursor(ctx, account, last)
				return page, err
			}
			page.Objects, page.IDs = append(page.Objects, object), append(page.IDs, d.ID)
			if passwords[i].Main != "" {
				page.Revealed = append(page.Revealed, d.ID)
			}
			size += len(object) + 1
			last = d.ID
		}
		if len(ds) < want {
			return page, nil
		}
		after = last
	}
}

func (s *Service) listPasswords(ctx context.Context, ds []Database, sensitive bool) ([]Passwords, error) {
	if !sensitive || len(ds) == 0 {
		return make([]Passwords, len(ds)), nil
	}
	ps, err := s.Vault.ReadAll(ctx, ds)
	if err != nil {
		return nil, fmt.Errorf("reading the passwords of a list: %w", err)
	}
	return ps, nil
}

func encode(d Database, p Passwords) (json.RawMessage, error) {
	object := d.Object()
	if p.Main != "" {
		object = object.Reveal(p.Main)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return nil, apierror.New(apierror.Internal, "a database could not be encoded", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// macBytes is how much of a cursor's signature it carries.
const macBytes = 16

// sealCursor is the cursor of what follows the database with that ID: opaque,
// and signed for the account.
func (s *Service) sealCursor(ctx context.Context, account, id string) (string, error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return "", apierror.New(apierror.Internal, "an ID is not one", err)
	}
	mac, err := s.cursorMAC(ctx, account, u)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(u[:], mac...)), nil
}

// openCursor is the ID that a cursor of the account's stands for.
func (s *Service) openCursor(ctx context.Context, account, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	invalid := apierror.FieldErrors{"cursor": {"is not one that this API gave to this account"}}.AsError()
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) != 16+macBytes {
		return "", invalid
	}
	u := uuid.UUID(b[:16])
	mac, err := s.cursorMAC(ctx, account, u)
	if err != nil {
		return "", err
	}
	if !hmac.Equal(mac, b[16:]) {
		return "", invalid
	}
	return u.String(), nil
}

func (s *Service) cursorMAC(ctx context.Context, account string, id uuid.UUID) ([]byte, error) {
	key, err := s.Catalog.CursorKey(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("reading the key of cursors: %w", err)
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(account))
	h.Write(id[:])
	return h.Sum(nil)[:macBytes], nil
}
