package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// timeout limits the calls of a test.
const timeout = 30 * time.Second

// Context returns a context that ends with the test or after 30 seconds.
func Context(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}

// Account returns a new account.
func Account() string { return "test-" + ID() }

// ID returns a new ID.
func ID() string { return uuid.Must(uuid.NewV7()).String() }

// Database returns a database with every field set, some at their limits.
func Database(account, name string) database.Database {
	now := time.Date(2026, 3, 4, 5, 6, 7, 891, time.UTC)
	return database.Database{
		ID: ID(), Account: account, Name: name,
		Endpoint: database.Endpoint{
			Hostname: "replica.example.com", Port: 5433, Database: "app <&> 'db'", Username: "émile",
			SSL: true, IPv6: true, SSLMode: database.SSLModeVerifyFull, SSLRootCert: certificate(),
		},
		Primary: &database.Endpoint{
			Hostname: "primary.example.com", Port: 5432, Database: "app", Username: "primary_user", SSLRootCert: certificate(),
		},
		Slot:     database.Slot{ID: ID(), PublicationName: "a \"publication\"", SlotName: "a_slot", Status: database.SlotActive},
		Known:    []database.Known{{Name: "publication", Code: "publication_empty", Hashes: []string{"0123456789abcdef"}, Total: 2}},
		Warnings: []check.Warning{{Name: "publication", Code: "publication_empty", Message: "no table", Fix: "ALTER PUBLICATION"}},
		// Spaces, escapes, HTML characters and the digits of numbers must not change.
		Annotations: `{ "team": "<a&b>\u2028\u0041", "n": 1.50, "big": 12345678901234567890 }`,
		Version:     1, Change: ID(), SecretVersion: ID(), CreatedAt: now, UpdatedAt: now,
	}
}

// Passwords returns two new passwords with characters that need escaping.
func Passwords() database.Passwords {
	return database.Passwords{
		Main:    database.Password("mäin <&>\"\\'\t" + ID()),
		Primary: database.Password("primary\u2028" + ID()),
	}
}

// certificate returns as many bytes as the API accepts.
func certificate() string { return strings.Repeat("0123456789abcde\n", 1024) }

// wantKind fails the test unless err is an *apierror.Error of that kind.
func wantKind(t *testing.T, err error, kind apierror.Kind) {
	t.Helper()
	if err == nil || apierror.KindOf(err) != kind {
		t.Fatalf("error %v of kind %d, want kind %d", err, apierror.KindOf(err), kind)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
