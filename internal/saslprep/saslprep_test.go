package saslprep_test

import (
	"testing"

	"github.com/xdg-go/stringprep"

	"github.com/headgate/headgate/internal/saslprep"
)

func TestMap(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]string{
		"plain b'\"\\":      "plain b'\"\\",
		"pass\u00adword":    "password",
		"no\u00a0break":     "no break",
		"zero\u200bwidth":   "zero width",
		"\ufb01ne e\u0301":  "fine \u00e9",
		"\u00ad":            "\u00ad",
		"\xff not UTF-8":    "\ufffd not UTF-8",
		"\u05e9a control\a": "\u05e9a control\a",
		"":                  "",
	} {
		if got := saslprep.Map(password); got != want {
			t.Errorf("%+q: %+q, want %+q", password, got, want)
		}
	}
}

// TestMap_EveryCharacter compares with a library. That leaves U+1806 as it is, which
// PostgreSQL drops, and drops U+200B, which PostgreSQL takes for a space; package
// probe tests both on a server.
func TestMap_EveryCharacter(t *testing.T) {
	t.Parallel()
	compared := 0
	for r := rune(1); r <= 0x2FFFF; r++ {
		password := "a" + string(r) + "1"
		want, err := stringprep.SASLprep.Prepare(password)
		if err != nil || r == 0x1806 || r == 0x200B {
			continue
		}
		if compared++; saslprep.Map(password) != want {
			t.Errorf("%+q: %+q, want %+q", password, saslprep.Map(password), want)
		}
	}
	if compared < 50_000 {
		t.Errorf("%d passwords compared", compared)
	}
}
