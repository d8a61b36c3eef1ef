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
	// digits are those of base62, in the order of their value.
	digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// textDigits is how many of them 32 bytes take at most: 62^43 > 2^256.
	textDigits  = 43
	randomBytes = 32
	idDigits    = 16
)

// mask stands for a key wherever one is not shown.
const mask = prefix + "************"

// Text is a key in clear. It does not show itself: formatting, logging and
// encoding it give a mask. Only Reveal gives its text.
type Text string

// Reveal is the key in clear, for whom it was made.
func (t Text) Reveal() string { return string(t) }

// String is a mask.
func (Text) String() string { return mask }

// GoString is a mask.
func (Text) GoString() string { return mask }

// LogValue is a mask.
func (Text) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText is a mask.
func (Text) MarshalText() ([]byte, error) { return []byte(mask), nil }

// Hash is the SHA-256 of the whole text, in lower-case hex.
func (t Text) Hash() string {
	sum := sha256.Sum256([]byte(t))
	return hex.EncodeToString(sum[:])
}

// wellFormed says whether t is "hg_" and 43 digits of base62.
func (t Text) wellFormed() bool {
	rest, ok := strings.CutPrefix(string(t), prefix)
	return ok && len(rest) == textDigits && strings.Trim(rest, digits) == ""
}

// Key is what is kept of a key.
type Key struct {
	// Hash is the key's SHA-256 in hex.
	Hash string `json:"hash"`
	// ID is the first 16 digits of the hash, by which people refer to the key.
	ID      string `json:"id"`
	Account string `json:"account"`
	Name    string `json:"name"`

	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is the first second in which the key is no longer good; zero
	// for a key that does not expire.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// RevokedAt is zero for a key that was not revoked.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// New makes a key for account. ExpiresAt is cut to whole seconds, and zero for a
// key that does not expire.
func New(account, name string, expiresAt, now time.Time) (Text, Key) {
	text := FromBytes(randomKey())
	k := Key{
		Hash: text.Hash(), Account: account, Name: name, CreatedAt: now.UTC(),
	}
	k.ID = k.Hash[:idDigits]
	if !expiresAt.IsZero() {
		k.ExpiresAt = expiresAt.UTC().Truncate(time.Second)
	}
	return text, k
}

// FromBytes is the key that these bytes spell.
func FromBytes(b [randomBytes]byte) Text {
	var out [textDigits]byte
	n, base, digit := new(big.Int).SetBytes(b[:]), big.NewInt(int64(len(digits))), new(big.Int)
	for i := len(out) - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = digits[digit.Int64()]
	}
	return Text(prefix + string(out[:]))
}

// randomKey never fails: crypto/rand ends the process rather than return
// fewer bytes.
func randomKey() (b [randomBytes]byte) {
	rand.Read(b[:])
	return b
}

// goodAt says whether the key may be used at that time.
func (k Key) goodAt(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}
