package database

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/requestlog"
)

// newClaim returns the claim of a create on an Idempotency-Key.
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

// hash returns a hash that is the same for payloads with the same values. It
// leaves passwords out, so that nobody can guess one by it.
func (p Payload) hash() (string, error) {
	annotations := jsontext.Value(p.Annotations)
	if len(annotations) > 0 {
		// Numbers are compared as sent, because large ones are equal as floats.
		if err := annotations.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
			return "", apierror.New(apierror.Internal, "the annotations could not be encoded", err)
		}
	}
	b, err := json.Marshal(struct {
		Name        string
		Endpoint    Endpoint
		Primary     *Endpoint
		Slot        Slot
		Annotations string   `json:",omitempty"`
		Creation    Creation `json:",omitzero"`
	}{p.Name, p.Target.Endpoint, p.Target.Primary, p.Target.Slot, string(annotations), p.Target.Creation})
	if err != nil {
		return "", apierror.New(apierror.Internal, "the payload could not be encoded", err)
	}
	return digest(b), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// replay answers a request whose key is claimed already: with the result of the
// claim, if it has one and its payload was the same. Passwords are compared with
// the first version in the vault, which is gone after a delete.
func (s *Service) replay(ctx context.Context, held, mine Claim, p Payload) (Created, error) {
	if held.Result == nil {
		return Created{}, requestInProgress()
	}
	if held.PayloadHash != mine.PayloadHash {
		return Created{}, keyReused()
	}
	d := *held.Result
	requestlog.SetDatabase(ctx, d.ID)
	if d.SecretVersion == "" {
		return Created{Database: d}, nil // the hash has everything that was sent
	}
	first, err := s.Vault.Read(ctx, d.Account, d.ID, d.SecretVersion)
	switch {
	case apierror.KindOf(err) == apierror.NotFound:
		return Created{Database: d}, nil
	case err != nil:
		return Created{}, fmt.Errorf("read first passwords of database %s: %w", d.ID, err)
	case first != p.Target.Passwords:
		return Created{}, keyReused()
	}
	return Created{d, first}, nil
}

// release gives up a claim, so that the key can be used again at once and not
// only after ClaimTime.
func (s *Service) release(ctx context.Context, c Claim) {
	release := func(ctx context.Context) error { return s.Catalog.Release(ctx, c) }
	s.cleanup(ctx, "an idempotency key stays claimed for a minute", release)
}
