package database_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// FuzzPayload holds that a body is either refused with one of the documented
// errors or is a payload that keeps every rule.
func FuzzPayload(f *testing.F) {
	good, err := json.Marshal(base())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(good), `{"name":"a","url":"postgres://u:w@h/d","replication_slots":[{}]}`, `{"primary":{}}`,
		`{"port":5432.0}`, `{"a":1,"a":2}`, `[`, ``, `{"name":"\ud800"}`, `{"replication_slots":[{"slot_name":"s"},null]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := database.ParsePayload(body)
		if err != nil {
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || e.Kind != apierror.Malformed && e.Kind != apierror.Invalid {
				t.Fatalf("error %v has another type or kind", err)
			}
			if e.Kind == apierror.Invalid && len(e.Fields) == 0 {
				t.Fatal("invalid without a field")
			}
			return
		}
		e := p.Target.Endpoint
		switch {
		case p.Name == "" || len(p.Name) > 255 || strings.ContainsAny(p.Name, "/ "), database.IsUUID(p.Name):
			t.Fatalf("name %q", p.Name)
		case e.Port < 1 || e.Port > 65535:
			t.Fatalf("port %d", e.Port)
		case e.Hostname == "" || strings.ContainsAny(e.Hostname, "/@ \x00[]"):
			t.Fatalf("hostname %q", e.Hostname)
		case p.Target.Passwords.Main.Reveal() == "" || p.Target.Passwords.Main.Reveal() == database.Mask:
			t.Fatal("no password")
		case !identifier(e.Database) || !identifier(e.Username) || !identifier(p.Target.Slot.PublicationName):
			t.Fatalf("database %q, username %q", e.Database, e.Username)
		case p.Target.Slot.SlotName == "" || strings.Trim(p.Target.Slot.SlotName, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
			t.Fatalf("slot %q", p.Target.Slot.SlotName)
		}
	})
}

// FuzzURL holds that the parts of a URL are read as they were encoded into it, and
// that any other URL is refused with one of the documented errors.
func FuzzURL(f *testing.F) {
	f.Add("user", "pass", "db", "postgres://u:w@h/d")
	f.Add("u@:/?#", "%p%25", "a/b", "postgres://u:secret@h:99999/d")
	f.Add("ü", "p w+", "d", "postgresql://u:w@[::1]:5432/d")
	f.Fuzz(func(t *testing.T, user, password, db, raw string) {
		encoded := "postgres://" + url.QueryEscape(user) + ":" + url.QueryEscape(password) + "@h/" + url.QueryEscape(db)
		encoded = strings.ReplaceAll(encoded, "+", "%20")
		if p, err := parse(t, byURL(encoded)); err == nil {
			if p.Target.Endpoint.Username != user || p.Target.Passwords.Main.Reveal() != password || p.Target.Endpoint.Database != db {
				t.Fatalf("%q came back as %q, %q", encoded, p.Target.Endpoint.Username, p.Target.Endpoint.Database)
			}
		} else if identifier(user) && identifier(db) && isPassword(password) {
			t.Fatalf("%q was refused: %v", encoded, err)
		}
		_, err := parse(t, byURL(raw))
		if _, ok := errors.AsType[*apierror.Error](err); err != nil && !ok {
			t.Fatalf("error %v has another type", err)
		}
	})
}

func identifier(s string) bool {
	control := func(r rune) bool { return r < 0x20 || r == 0x7f }
	return s != "" && len(s) <= 63 && !strings.ContainsFunc(s, control) && utf8.ValidString(s)
}

func isPassword(s string) bool {
	return s != "" && len(s) <= 4096 && s != database.Mask && !strings.Contains(s, "\x00") && utf8.ValidString(s)
}
