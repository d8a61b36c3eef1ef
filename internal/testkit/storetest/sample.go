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

// patience bounds a test's calls.
const patience = 30 * time.Second

// Context is a context that ends with the test, or when a call takes too long.
func Context(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// Account is an account that no other test has.
func Account() string { return "test-" + ID() }

// ID is an ID that no other test has.
func ID() string { return uuid.Must(uuid.NewV7()).String() }

// Database is a database with every field set, some to their limits.
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
		Warnings: []check.Warning{{Name: "publication", Code: "publication_empty", Message: "no table", Fix: "ALTER PUBLICATION"}},
		// Spaces, escapes, HTML's characters and the digits of numbers stay as they are.
		Annotations: `{ "team": "<a&b>\u2028\u0041", "n": 1.50, "big": 12345678901234567890 }`,
		Version:     1, Change: ID(), SecretVersion: ID(), CreatedAt: now, UpdatedAt: now,
	}
}

// Passwords are two odd passwords that no other test has.
func Passwords() database.Passwords {
	return database.Passwords{
		Main:    database.Password("mäin <&>\"\\'\t" + ID()),
		Primary: database.Password("primary\u2028" + ID()),
	}
}

// certificate has the most bytes that the API takes.
func certificate() string { return strings.Repeat("0123456789abcde\n", 1024) }

// wantKind fails the test unless err is a *database.Error of that kind.
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
