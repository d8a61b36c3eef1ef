package redact_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/headgate/headgate/internal/redact"
)

func TestDisplayable(t *testing.T) {
	t.Parallel()
	for r := range unicode.MaxRune + 1 {
		hidden := unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
		if hidden && redact.Displayable(r) {
			t.Errorf("%U is displayable", r)
		}
	}
	for _, r := range "aZ 0\"'\\ß名🐘é\u0301" {
		if !redact.Displayable(r) {
			t.Errorf("%U is not displayable", r)
		}
	}
	for _, r := range "\u3164\u115f\uffa0\ufe0f\u034f\u00a0\u2003" {
		if redact.Displayable(r) {
			t.Errorf("%U is displayable", r)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\x03\n\\! id": `a  \! id`, "\u202eabc": "abc", "a\xffb": "a\uFFFDb", strings.Repeat("名", 100): strings.Repeat("名", 15) + "…",
	} {
		if got := redact.Line(in, 50); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

func upperASCII(r rune) rune {
	if r < unicode.MaxASCII {
		return unicode.ToUpper(r)
	}
	return r
}

func TestSecrets_In(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"correct horse", `p'w"d\ %:/?#`, "Пароль-名前", "ﬁ-soft\u00adhyphen\u00a0x", "tab\tand\nline"} {
		secrets := redact.NewSecrets("", p)
		quoted, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		for name, form := range map[string]string{
			"raw": p, "upper case": strings.Map(upperASCII, p), "json": string(quoted), "go": fmt.Sprintf("%q", p), "ascii": fmt.Sprintf("%+q", p),
			"query": url.QueryEscape(p), "path": url.PathEscape(p), "hex": hex.EncodeToString([]byte(p)), "upper hex": fmt.Sprintf("%X", p),
			"spaced hex": fmt.Sprintf("% x", p), "base64": base64.StdEncoding.EncodeToString([]byte(p)),
			"base64 in a longer text": base64.StdEncoding.EncodeToString([]byte("u:" + p + "!")), "base64 after one byte": base64.URLEncoding.EncodeToString([]byte("u" + p)),
			"SQL literal": strings.ReplaceAll(p, "'", "''"), "SQL identifier": strings.ReplaceAll(p, `"`, `""`), "bytea": `\x` + hex.EncodeToString([]byte(p)),
			"query twice": url.QueryEscape(url.QueryEscape(p)), "base32": base32.StdEncoding.EncodeToString([]byte(p)),
			"base64 twice": base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(p)))),
		} {
			if !secrets.In("before " + form + " after") {
				t.Errorf("%q is not found as %s: %s", p, name, form)
			}
		}
		if secrets.In("an ordinary text about horses, soft hyphens and lines") {
			t.Errorf("%q is found where it is not", p)
		}
	}
	for _, separator := range []string{" ", ".", "\u200b", "\x00", "-"} {
		if text := strings.Join(strings.Split("correct horse", ""), separator); !redact.NewSecrets("correct horse").In(text) {
			t.Errorf("a password is not found in %q", text)
		}
	}
	if short := redact.NewSecrets("cdc"); !short.In("cdc") || short.In("role cdc may not") {
		t.Error("a short password is not found alone, or found in a text")
	}
}
