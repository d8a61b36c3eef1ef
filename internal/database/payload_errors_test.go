package database_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

func TestParsePayload_Malformed(t *testing.T) {
	t.Parallel()
	for name, parse := range map[string]func([]byte) error{
		"payload": func(body []byte) error { _, err := database.ParsePayload(body); return err },
		"patch":   func(body []byte) error { _, err := database.ParsePatch(body); return err },
		"event":   func(body []byte) error { _, _, err := database.ParseEvent(body); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{"", "nope", "[]", `{"name":`, `{} {}`, `{"name":"a","name":"b"}`} {
				if err := parse([]byte(body)); apierror.KindOf(err) != apierror.Malformed {
					t.Errorf("%q: error %v", body, err)
				}
			}
		})
	}
}

func TestParsePayload_MessagesWithoutPassword(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-secret"
	for _, p := range []map[string]any{
		byURL("postgres://u:" + secret + "@h:x/d"),
		byURL("postgres://u:" + secret + "/@h/d"),
		byURL("postgres://u:%zz" + secret + "@h/d?x"),
		byURL("nope://u:" + secret + "@h/d"),
		with(base(), "password", secret+"\x00"),
		with(with(base(), "password", secret), "port", "x"),
	} {
		_, err := parse(t, p)
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok {
			t.Fatal("the payload was accepted")
		}
		answer, err := json.Marshal(e.Fields)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Error()+e.Summary+string(answer), secret) {
			t.Error("an error repeats the password")
		}
	}
}

// TestSafety_ControlCharactersInNames sends names that would end a line of another
// protocol.
func TestSafety_ControlCharactersInNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []string{"\r\n", "\n", "\r", "\x00", "\x1b", "\t", "\x7f"} {
		name := "app" + c + "flush_all" + c
		for field, payload := range map[string]map[string]any{
			"database":         with(base(), "database", name),
			"username":         with(base(), "username", name),
			"url":              byURL("postgres://u:w@h/" + url.PathEscape(name)),
			"primary.database": with(base(), "primary", map[string]any{"hostname": "p", "database": name, "username": "u", "password": "w"}),
			"replication_slots[0].publication_name": with(base(), "replication_slots",
				[]any{map[string]any{"publication_name": name, "slot_name": "s"}}),
		} {
			p, err := parse(t, payload)
			if err == nil {
				_, err = f.service.Create(t.Context(), "acme", p, "")
			}
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || e.Kind != apierror.Invalid || len(e.Fields[field]) == 0 {
				t.Errorf("%s with %q: %v", field, c, err)
			}
		}
	}
	if n := len(f.prober.probed()); n != 0 {
		t.Errorf("%d targets were probed", n)
	}
}
