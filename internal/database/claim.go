package database

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/requestlog"
)

// newClaim is the claim of a create on an Idempotency-Key.
func (s *Service) newClaim(account string, p Payload, key string) (Claim, error) {
	owner, err := newID()
	if err != nil {
		return Claim{}, err
	}
	hash, err := p.hash()
	if err != nil {
		return Claim{}, err
	}
	return Claim{
		Account: account, Key: digest([]byte(account + "\x00" + key)), Owner: owner,
		PayloadHash: hash, ClaimedAt: s.Now().UTC(),
	}, nil
}

// hash is the same for payloads of the same values, passwords apart: what is
// kept of it is no way to guess one.
func (p Payload) hash() (string, error) {
	b, err := json.Marshal(struct {
		Name     string
		Endpoint Endpoint
		Primary  *Endpoint
		Slot     Slot
	}{p.Name, p.Endpoint, p.Primary, p.Slot})
	if err != nil {
		return "", apierror.New(apierror.Internal, "the payload could not be encoded", err)
	}
	return digest(b), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// replay answers a request whose key another one holds: with that one's result,
// if it has one and asked the same. Passwords are compared with those first
// kept; after a delete they are gone, and the answer shows none.
func (s *Service) replay(ctx context.Context, held, mine Claim, p Payload) (Created, error) {
	if held.Result == nil {
		return Created{}, requestInProgress()
	}
	if held.PayloadHash != mine.PayloadHash {
		return Created{}, keyReused()
	}
	d := *held.Result
	requestlog.SetDatabase(ctx, d.ID)
	first, err := s.Vault.Read(ctx, d.Account, d.ID, d.SecretVersion)
	switch {
	case err != nil && apierror.KindOf(err) == apierror.NotFound:
		return Created{Database: d}, nil
	case err != nil:
		return Created{}, fmt.Errorf("comparing with the first request's passwords: %w", err)
	case first != p.Passwords:
		return Created{}, keyReused()
	}
	return Created{d, first}, nil
}

// release gives a claim up, so that the key is free for the next try. What can't
// be released is free after ClaimTime by itself: so a failure is logged.
func (s *Service) release(ctx context.Context, c Claim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := s.Catalog.Release(ctx, c); err != nil {
		s.Log.WarnContext(ctx, "an idempotency key stays claimed for a minute", "error", err)
	}
}
