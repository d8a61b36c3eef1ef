package database

import "log/slog"

// Mask is shown in place of every password, whatever its length.
const Mask = "************"

// Password is a secret. Formatted, logged or encoded as JSON it is the mask.
type Password string

// Reveal returns the password in clear.
func (p Password) Reveal() string { return string(p) }

// String returns the mask.
func (Password) String() string { return Mask }

// GoString returns the mask.
func (Password) GoString() string { return Mask }

// LogValue returns the mask.
func (Password) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalJSON returns the mask, for a password that gets into an encoder by
// mistake.
func (Password) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }
