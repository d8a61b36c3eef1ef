package database

import "log/slog"

// Mask stands for a password wherever one is not shown, whatever its length.
const Mask = "************"

// Password is a secret that does not show itself: formatting and logging it
// give the mask. Only Reveal gives its text.
type Password string

// Reveal is the password in clear, for the wire to Postgres and for the vault.
func (p Password) Reveal() string { return string(p) }

// String is the mask.
func (Password) String() string { return Mask }

// GoString is the mask.
func (Password) GoString() string { return Mask }

// LogValue is the mask.
func (Password) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalJSON is the mask, so that a password that strays into an encoder does
// not leave the process.
func (Password) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }
