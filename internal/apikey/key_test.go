package apikey_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apikey"
)

func TestFromBytes(t *testing.T) {
	t.Parallel()
	var ones [32]byte
	for i := range ones {
		ones[i] = 0xff
	}
	tests := map[string]struct {
		bytes [32]byte
		want  apikey.Text
	}{
		"zero":           {[32]byte{}, "hg_0000000000000000000000000000000000000000000"},
		"one":            {[32]byte{31: 1}, "hg_0000000000000000000000000000000000000000001"},
		"the last digit": {[32]byte{31: 61}, "hg_000000000000000000000000000000000000000000z"},
		"two digits":     {[32]byte{31: 62}, "hg_0000000000000000000000000000000000000000010"},
		"all ones":       {ones, "hg_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := apikey.FromBytes(test.bytes); got != test.want {
				t.Errorf("%s, want %s", got.Reveal(), test.want.Reveal())
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^hg_[0-9A-Za-z]{43}$`)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	seen := map[apikey.Text]bool{}
	for range 100 {
		text, k := apikey.New(apikey.CreateRequest{
			AccountID: "acme", Name: "deploys", ExpiresAt: now.Add(1500 * time.Millisecond), Scopes: apikey.Scopes{apikey.Read},
		}, now)
		if seen[text] || !form.MatchString(text.Reveal()) {
			t.Fatalf("key %q", text.Reveal())
		}
		seen[text] = true
		sum := sha256.Sum256([]byte(text.Reveal()))
		want := apikey.Key{
			Hash: hex.EncodeToString(sum[:]), ID: hex.EncodeToString(sum[:8]), Account: "acme", Name: "deploys", Scopes: apikey.Scopes{apikey.Read},
			CreatedAt: now, ExpiresAt: now.Add(time.Second),
		}
		if !reflect.DeepEqual(k, want) {
			t.Fatalf("kept %+v, want %+v", k, want)
		}
	}
}

func TestText_Masked(t *testing.T) {
	t.Parallel()
	text, _ := apikey.New(apikey.CreateRequest{AccountID: "acme", Name: "deploys"}, time.Now())
	response := apikey.CreateResponse{APIKey: text, ID: "0123456789abcdef", AccountID: "acme"}
	encoded, err := json.Marshal(struct{ Key apikey.Text }{text})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "key", text, "response", response)
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "key", text, "response", response)
	for name, shown := range map[string]string{
		"%v": fmt.Sprintf("%v %v %v", text, response, &response), "%+v": fmt.Sprintf("%+v %+v", text, response),
		"%#v": fmt.Sprintf("%#v %#v", text, response), "%s": fmt.Sprintf("%s %s", text, response), "%q": fmt.Sprintf("%q %q", text, response),
		"JSON": string(encoded), "log": log.String(),
	} {
		if strings.Contains(shown, text.Reveal()) || strings.Contains(shown, text.Reveal()[3:]) {
			t.Errorf("%s shows the key: %s", name, shown)
		}
	}
}

func TestFromHeader(t *testing.T) {
	t.Parallel()
	tests := map[string]apikey.Text{
		"Bearer hg_x": "hg_x", "bearer hg_x": "hg_x", "BEARER  hg_x ": "hg_x",
		"": "", "hg_x": "", "Basic hg_x": "", "Bearer": "", "Bearer ": "", "Bearerhg_x": "",
	}
	for header, want := range tests {
		if got := apikey.FromHeader(header); got != want {
			t.Errorf("%q is %q, want %q", header, got.Reveal(), want.Reveal())
		}
	}
}
