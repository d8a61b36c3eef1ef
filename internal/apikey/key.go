package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"math/big"
	"strings"
	"time"
)

const (
	prefix = "hg_"
	// digits are the digits of base62 by value.
	digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// textDigits is enough for 32 bytes: 62^43 > 2^256.
	textDigits  = 43
	randomBytes = 32
	idDigits    = 16
)

// mask is shown in place of a key.
const mask = prefix + "************"

// Text is a key in clear. Formatted, logged or encoded it is a mask; only Reveal
// returns the key.
type Text string

// Reveal returns the key in clear.
func (t Text) Reveal() string { return string(t) }

// String returns a mask.
func (Text) String() string { return mask }

// GoString returns a mask.
func (Text) GoString() string { return mask }

// LogValue returns a mask.
func (Text) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns a mask.
func (Text) MarshalText() ([]byte, error) { return []byte(mask), nil }

// Hash returns the SHA-256 of the whole text in lower-case hex.
func (t Text) Hash() string {
	sum := sha256.Sum256([]byte(t))
	return hex.EncodeToString(sum[:])
}

// wellFormed reports whether t is "hg_" and 43 digits of base62.
func (t Text) wellFormed() bool {
	rest, ok := strings.CutPrefix(string(t), prefix)
	return ok && len(rest) == textDigits && strings.Trim(rest, digits) == ""
}

// Key is a key as it is stored. Its JSON form is that of a list, without the hash and
// the account.
type Key struct {
	// Hash is the key's SHA-256 in hex.
	Hash string `json:"-"`
	// ID is the first 16 digits of the hash, by which people refer to the key.
	ID      string `json:"id"`
	Account string `json:"-"`
	Name    string `json:"name"`
	Scopes  Scopes `json:"scopes"`

	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is the first second in which the key is not valid any more, zero
	// for a key that does not expire.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// RevokedAt is zero for a key that is not revoked.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	// LastUsedOn is the last day, in UTC, on which the authorizer looked the key up,
	// such as 2030-01-31. It is empty for a key that was not used since days are kept.
	LastUsedOn string `json:"last_used_on,omitempty"`
}

// New creates the key that r asks for.
func New(r CreateRequest, now time.Time) (Text, Key) {
	text := FromBytes(randomKey())
	k := Key{
		Hash: text.Hash(), Account: r.AccountID, Name: r.Name, Scopes: r.Scopes, CreatedAt: now.UTC(),
	}
	k.ID = k.Hash[:idDigits]
	if !r.ExpiresAt.IsZero() {
		k.ExpiresAt = r.ExpiresAt.UTC().Truncate(time.Second)
	}
	return text, k
}

// FromBytes returns the key with these random bytes.
func FromBytes(b [randomBytes]byte) Text {
	var out [textDigits]byte
	n, base, digit := new(big.Int).SetBytes(b[:]), big.NewInt(int64(len(digits))), new(big.Int)
	for i := len(out) - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = digits[digit.Int64()]
	}
	return Text(prefix + string(out[:]))
}

// randomKey can't fail: crypto/rand ends the process instead.
func randomKey() (b [randomBytes]byte) {
	rand.Read(b[:])
	return b
}

// validAt reports whether the key may be used at that time.
func (k Key) validAt(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}
