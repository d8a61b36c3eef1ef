package database_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/database"
)

// base is a valid payload by fields.
func base() map[string]any {
	return map[string]any{
		"name": "example-db", "hostname": "db.example.com", "database": "postgres",
		"username": "postgres", "password": "secret-password",
		"replication_slots": []any{map[string]any{"publication_name": "sequin_pub", "slot_name": "sequin_slot"}},
	}
}

func byURL(url string) map[string]any {
	p := base()
	for _, part := range []string{"hostname", "database", "username", "password"} {
		delete(p, part)
	}
	p["url"] = url
	return p
}

func with(p map[string]any, path string, value any) map[string]any {
	p = maps.Clone(p)
	p[path] = value
	return p
}

func without(p map[string]any, path string) map[string]any {
	p = maps.Clone(p)
	delete(p, path)
	return p
}

func slotWith(field string, value any) map[string]any {
	slot := map[string]any{"publication_name": "p", "slot_name": "s"}
	slot[field] = value
	return with(base(), "replication_slots", []any{slot})
}

func primaryWith(field string, value any) map[string]any {
	primary := map[string]any{"hostname": "p.example.com", "database": "d", "username": "u", "password": "w"}
	primary[field] = value
	return with(base(), "primary", primary)
}

func parse(t *testing.T, p map[string]any) (database.Payload, error) {
	t.Helper()
	body, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return database.ParsePayload(body)
}

func TestParsePayload_Defaults(t *testing.T) {
	t.Parallel()
	p, err := parse(t, base())
	if err != nil {
		t.Fatal(err)
	}
	want := database.Endpoint{Hostname: "db.example.com", Port: 5432, Database: "postgres", Username: "postgres", SSL: true}
	if p.Target.Endpoint != want {
		t.Errorf("endpoint %+v, want %+v", p.Target.Endpoint, want)
	}
	if p.Target.Slot != (database.Slot{PublicationName: "sequin_pub", SlotName: "sequin_slot", Status: "active"}) {
		t.Errorf("slot %+v", p.Target.Slot)
	}
	if p.Target.Passwords.Main.Reveal() != "secret-password" || p.Target.Primary != nil {
		t.Error("the password is wrong, or there is a primary")
	}
}

func TestParsePayload_URL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, url string
		want      database.Endpoint
		password  string
	}{
		{
			"all parts", "postgresql://postgres:secret-password@db.example.com:6432/app",
			database.Endpoint{Hostname: "db.example.com", Port: 6432, Database: "app", Username: "postgres", SSL: true},
			"secret-password",
		},
		{
			"the short scheme and the default port", "postgres://u:w@h/d",
			database.Endpoint{Hostname: "h", Port: 5432, Database: "d", Username: "u", SSL: true},
			"w",
		},
		{
			"percent-encoded parts", "postgres://u%40x:p%2Fw%3F%23%25@h/d%20b",
			database.Endpoint{Hostname: "h", Port: 5432, Database: "d b", Username: "u@x", SSL: true},
			"p/w?#%",
		},
		{
			"an at sign and colons in the password", "postgres://u:a@b:c@h/d",
			database.Endpoint{Hostname: "h", Port: 5432, Database: "d", Username: "u", SSL: true},
			"a@b:c",
		},
		{
			"a plus is a plus", "postgres://u:a+b@h/d",
			database.Endpoint{Hostname: "h", Port: 5432, Database: "d", Username: "u", SSL: true},
			"a+b",
		},
		{
			"an IPv6 literal in brackets", "postgres://u:w@[2600::1]:5433/d",
			database.Endpoint{Hostname: "2600::1", Port: 5433, Database: "d", Username: "u", SSL: true},
			"w",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := parse(t, byURL(tt.url))
			if err != nil {
				t.Fatal(err)
			}
			if p.Target.Endpoint != tt.want || p.Target.Passwords.Main.Reveal() != tt.password {
				t.Errorf("got %+v, want %+v (or the password is wrong)", p.Target.Endpoint, tt.want)
			}
		})
	}
}

func TestParsePayload_Accepted(t *testing.T) {
	t.Parallel()
	readOnly := base()
	for k, v := range map[string]any{
		"id": "x", "use_local_tunnel": false, "pool_size": 10, "queue_interval": 1000, "queue_target": 50, "warnings": []any{},
		"created": []any{"publication"}, "left_on_target": map[string]any{"slot_name": "s"}, "secret_arn": arn, "health": map[string]any{"status": "healthy"},
	} {
		readOnly[k] = v
	}
	tests := map[string]map[string]any{
		"the object's read-only fields":     readOnly,
		"the slot's id":                     slotWith("id", "8c4b"),
		"null for optional fields":          with(with(with(base(), "port", nil), "primary", nil), "ssl", nil),
		"port 0, which counts as not given": with(base(), "port", 0),
		"port 0 together with a url":        with(byURL("postgres://u:w@h/d"), "port", 0),
		"null parts together with a url":    with(byURL("postgres://u:w@h/d"), "hostname", nil),
		"a name of 255 characters":          with(base(), "name", strings.Repeat("a", 255)),
		"a name of every kind of character": with(base(), "name", "aZ0_-."),
		"an IPv4 literal":                   with(base(), "hostname", "203.0.113.1"),
		"an IPv6 literal":                   with(base(), "hostname", "2600::1"),
		"a name with a trailing dot":        with(base(), "hostname", "db.example.com."),
		"an identifier of 63 bytes":         with(base(), "database", strings.Repeat("é", 31)+"x"),
		"a password of 4096 bytes":          with(base(), "password", strings.Repeat("p", 4096)),
		"eleven asterisks for a password":   with(base(), "password", "***********"),
		"a disabled slot":                   slotWith("status", "disabled"),
		"ssl_mode require":                  with(base(), "ssl_mode", "require"),
		"verify-full with no authority":     with(base(), "ssl_mode", "verify-full"),
		"a primary with everything":         primaryWith("port", 5433),
		"a primary with port 0":             primaryWith("port", 0),
		"a status of null":                  slotWith("status", nil),
		"a database with U+0020 and U+0080": with(base(), "database", "a \u0080"),
		"annotations null":                  with(base(), "annotations", nil),
		"a publication name with quotes":    slotWith("publication_name", `a"b'c`),
		"use_local_tunnel null":             with(base(), "use_local_tunnel", nil),
		"replication_slots[0].id of number": slotWith("id", 7),
	}
	for name, p := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(t, p); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

func TestParsePayload_InvalidFields(t *testing.T) {
	t.Parallel()
	uuid := "0192d3a4-0000-7000-8000-000000000000"
	tests := []struct {
		name    string
		payload map[string]any
		field   string
		says    string
	}{
		{"no name", without(base(), "name"), "name", "is required"},
		{"a null name", with(base(), "name", nil), "name", "is required"},
		{"an empty name", with(base(), "name", ""), "name", "1 to 255"},
		{"a name of 256", with(base(), "name", strings.Repeat("a", 256)), "name", "1 to 255"},
		{"a name with a space", with(base(), "name", "a b"), "name", "only letters"},
		{"a name with a slash", with(base(), "name", "a/b"), "name", "only letters"},
		{"a name in the form of a UUID", with(base(), "name", uuid), "name", "UUID"},
		{"a name in the form of an upper-case UUID", with(base(), "name", strings.ToUpper(uuid)), "name", "UUID"},
		{"a name that is a dot", with(base(), "name", "."), "name", ". or .."},
		{"a name that is two dots", with(base(), "name", ".."), "name", ". or .."},
		{"a name of another type", with(base(), "name", 1), "name", "must be a string"},
		{"no hostname", without(base(), "hostname"), "hostname", "is required"},
		{"an empty hostname", with(base(), "hostname", ""), "hostname", "must not be empty"},
		{"a hostname with a scheme", with(base(), "hostname", "https://db"), "hostname", "without a scheme"},
		{"a hostname with a port", with(base(), "hostname", "db:5432"), "hostname", "port"},
		{"a socket directory", with(base(), "hostname", "/var/run/postgresql"), "hostname", "socket directory"},
		{"a hostname with a path", with(base(), "hostname", "db/x"), "hostname", "path"},
		{"a bracketed address", with(base(), "hostname", "[::1]"), "hostname", "without brackets"},
		{"an address with a zone", with(base(), "hostname", "fe80::1%eth0"), "hostname", "zone"},
		{"a hostname with a space", with(base(), "hostname", "a b"), "hostname", "DNS name"},
		{"a hostname with an empty label", with(base(), "hostname", "a..b"), "hostname", "DNS name"},
		{"a number for a hostname", with(base(), "hostname", "2130706433"), "hostname", "DNS name"},
		{"a short IPv4 form", with(base(), "hostname", "127.1"), "hostname", "DNS name"},
		{"a hostname of 254 bytes", with(base(), "hostname", strings.Repeat("a.", 126)+"ab"), "hostname", "253"},
		{"port as a string", with(base(), "port", "5432"), "port", "must be an integer"},
		{"port 65536", with(base(), "port", 65536), "port", "between 1 and 65535"},
		{"port -1", with(base(), "port", -1), "port", "between 1 and 65535"},
		{"no database", without(base(), "database"), "database", "is required"},
		{"a database of 64 bytes", with(base(), "database", strings.Repeat("d", 64)), "database", "63"},
		{"a database with a NUL", with(base(), "database", "a\x00b"), "database", "control characters"},
		{"a database with a line feed", with(base(), "database", "a\nb"), "database", "control characters"},
		{"a username with U+001F", with(base(), "username", "\x1fa"), "username", "control characters"},
		{"a username with U+007F", with(base(), "username", "a\x7f"), "username", "control characters"},
		{"a primary's username with CR LF", primaryWith("username", "a\r\nQUIT"), "primary.username", "control characters"},
		{"a publication name with a tab", slotWith("publication_name", "a\tb"), "replication_slots[0].publication_name", "control characters"},
		{"a publication name of 64 bytes", slotWith("publication_name", strings.Repeat("p", 64)), "replication_slots[0].publication_name", "63"},
		{"no username", without(base(), "username"), "username", "is required"},
		{"no password", without(base(), "password"), "password", "is required"},
		{"an empty password", with(base(), "password", ""), "password", "must not be empty"},
		{"the mask", with(base(), "password", "************"), "password", "mask"},
		{"a password of 4097 bytes", with(base(), "password", strings.Repeat("p", 4097)), "password", "4096"},
		{"a password with a NUL", with(base(), "password", "a\x00"), "password", "NUL"},
		{"ssl as a string", with(base(), "ssl", "true"), "ssl", "true or false"},
		{"ipv6 as a number", with(base(), "ipv6", 1), "ipv6", "true or false"},
		{"an unknown ssl_mode", with(base(), "ssl_mode", "prefer"), "ssl_mode", "verify-full"},
		{"ssl_mode with ssl false", with(with(base(), "ssl", false), "ssl_mode", "require"), "ssl_mode", "ssl is false"},
		{"an authority without verify-full", with(base(), "ssl_root_cert", "x"), "ssl_root_cert", "verify-full"},
		{"an authority that is not PEM", with(with(base(), "ssl_mode", "verify-full"), "ssl_root_cert", "x"), "ssl_root_cert", "PEM"},
		{"an authority over 16 KiB", with(with(base(), "ssl_mode", "verify-full"), "ssl_root_cert", strings.Repeat("x", 16385)), "ssl_root_cert", "16 KiB"},
		{"use_local_tunnel true", with(base(), "use_local_tunnel", true), "use_local_tunnel", "must be false"},
		{"primary as a string", with(base(), "primary", "x"), "primary", "must be an object"},
		{"a primary without a hostname", primaryWith("hostname", nil), "primary.hostname", "is required"},
		{"a primary without a password", primaryWith("password", nil), "primary.password", "is required"},
		{"a primary with a bad port", primaryWith("port", 70000), "primary.port", "between 1 and 65535"},
		{"a primary with the mask", primaryWith("password", "************"), "primary.password", "mask"},
		{"a primary with a misspelt field", primaryWith("user_name", "x"), "primary.user_name", `"username"`},
		{"no slots", without(base(), "replication_slots"), "replication_slots", "is required"},
		{"slots that are not an array", with(base(), "replication_slots", map[string]any{}), "replication_slots", "must be an array"},
		{"an empty array of slots", with(base(), "replication_slots", []any{}), "replication_slots", "exactly one"},
		{"two slots", with(base(), "replication_slots", []any{1, 2}), "replication_slots", "exactly one"},
		{"a slot that is not an object", with(base(), "replication_slots", []any{"s"}), "replication_slots[0]", "must be an object"},
		{"a slot without a publication", slotWith("publication_name", nil), "replication_slots[0].publication_name", "is required"},
		{"a slot without a name", slotWith("slot_name", nil), "replication_slots[0].slot_name", "is required"},
		{"a slot name in upper case", slotWith("slot_name", "Slot"), "replication_slots[0].slot_name", "lower-case"},
		{"an empty slot name", slotWith("slot_name", ""), "replication_slots[0].slot_name", "1 to 63"},
		{"an unknown status", slotWith("status", "paused"), "replication_slots[0].status", "disabled"},
		{"a misspelt field of the slot", slotWith("slotname", "x"), "replication_slots[0].slotname", `"slot_name"`},
		{"a misspelt field", with(base(), "host_name", "x"), "host_name", `"hostname"`},
		{"a read-only field in another spelling", with(base(), "poolsize", 10), "poolsize", `is not a known field; the nearest is "pool_size", which is read-only`},
		{"a field with no near one", with(base(), "slots", []any{}), "slots", "is not a known field"},
		{"the first half of one", with(base(), "user", "x"), "user", `"username"`},
		{"a field in another case", with(base(), "Name", "x"), "Name", `"name"`},
		{"a url together with a hostname", with(byURL("postgres://u:w@h/d"), "hostname", "h"), "hostname", "together with url"},
		{"a url together with a port", with(byURL("postgres://u:w@h/d"), "port", 5432), "port", "together with url"},
		{"a url together with a password", with(byURL("postgres://u:w@h/d"), "password", "w"), "password", "together with url"},
		{"a url that is empty", byURL(""), "url", "must start with"},
		{"a url of another scheme", byURL("mysql://u:w@h/d"), "url", "must start with"},
		{"a url without a user", byURL("postgres://:w@h/d"), "url", "missing the user"},
		{"a url without a password", byURL("postgres://u@h/d"), "url", "missing the password"},
		{"a url with an empty password", byURL("postgres://u:@h/d"), "url", "missing the password"},
		{"a url without a host", byURL("postgres://u:w@/d"), "url", "missing the host"},
		{"a url without a database", byURL("postgres://u:w@h"), "url", "missing the database"},
		{"a url with an empty database", byURL("postgres://u:w@h/"), "url", "missing the database"},
		{"a url with a query", byURL("postgres://u:w@h/d?sslmode=require"), "url", "ssl"},
		{"a url with an empty query", byURL("postgres://u:w@h/d?"), "url", "ssl"},
		{"a url with a fragment", byURL("postgres://u:w@h/d#x"), "url", "fragment"},
		{"a url with port 0", byURL("postgres://u:w@h:0/d"), "url", "between 1 and 65535"},
		{"a url with an empty port", byURL("postgres://u:w@h:/d"), "url", "between 1 and 65535"},
		{"a url with a port that is not a number", byURL("postgres://u:w@h:x/d"), "url", "between 1 and 65535"},
		{"a url with a bare IPv6 address", byURL("postgres://u:w@2600::1/d"), "url", "brackets"},
		{"a url with two hosts", byURL("postgres://u:w@a,b/d"), "url", "DNS name"},
		{"a url with a slash in the password", byURL("postgres://u:a/b@h/d"), "url", "%2F"},
		{"a url with a broken escape", byURL("postgres://u:%zz@h/d"), "url", "percent-encoding"},
		{"a url with an escape that is not UTF-8", byURL("postgres://u:%ff@h/d"), "url", "percent-encoding"},
		{"a url with the mask", byURL("postgres://u:************@h/d"), "url", "mask"},
		{"a url with an escaped NUL", byURL("postgres://u:w@h/d%00"), "url", "control characters"},
		{"a url with an escaped line feed", byURL("postgres://u%0A:w@h/d"), "url", "control characters"},
		{"a url with an escaped NUL in the password", byURL("postgres://u:w%00@h/d"), "url", "NUL"},
		{"annotations that are not an object", with(base(), "annotations", []any{}), "annotations", "must be an object"},
		{"use_local_tunnel of another type", with(base(), "use_local_tunnel", "false"), "use_local_tunnel", "true or false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, tt.payload)
			e, ok := errors.AsType[*apierror.Error](err)
			if !ok || e.Kind != apierror.Invalid || e.Code != apierror.InvalidPayload {
				t.Fatalf("error %v, want an invalid payload", err)
			}
			if !strings.Contains(strings.Join(e.Fields[tt.field], "; "), tt.says) {
				t.Errorf("field %s says %q, want %q; all: %v", tt.field, e.Fields[tt.field], tt.says, e.Fields)
			}
			if len(e.Fields) != 1 {
				t.Errorf("other fields than %s have messages: %v", tt.field, e.Fields)
			}
		})
	}
}

func TestParsePayload_PortThatIsNoInteger(t *testing.T) {
	t.Parallel()
	for _, port := range []string{"5432.0", "5.4e3", "1e400", "0.0"} {
		body := fmt.Sprintf(`{"name":"n","hostname":"h","database":"d","username":"u","password":"p","port":%s,
			"replication_slots":[{"publication_name":"p","slot_name":"s"}]}`, port)
		_, err := database.ParsePayload([]byte(body))
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok || !slices.Equal(e.Fields["port"], []string{"must be an integer"}) {
			t.Errorf("port %s: %v", port, err)
		}
	}
}

func TestParsePayload_SeveralFaults(t *testing.T) {
	t.Parallel()
	_, err := parse(t, map[string]any{
		"hostname": "a b", "port": "x", "ssl": 1, "primary": map[string]any{"hostname": "h"},
		"replication_slots": []any{map[string]any{"slot_name": "UPPER"}}, "pasword": "w",
	})
	e, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		t.Fatal(err)
	}
	want := []string{
		"database", "hostname", "name", "password", "pasword", "port", "primary.database", "primary.password",
		"primary.username", "replication_slots[0].publication_name", "replication_slots[0].slot_name", "ssl", "username",
	}
	if got := slices.Sorted(maps.Keys(e.Fields)); !slices.Equal(got, want) {
		t.Errorf("fields %v,\nwant   %v", got, want)
	}
}
