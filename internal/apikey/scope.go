package apikey

import (
	"slices"
	"strings"
)

// Scope is a kind of request that a key permits.
type Scope string

// The scopes. Each stands by itself: Write does not include Read.
const (
	// Read permits reading databases.
	Read Scope = "read"
	// Write permits creates, updates and deletes, and every check of a target.
	Write Scope = "write"
	// Reveal permits showing passwords, in addition to what a request needs.
	Reveal Scope = "reveal"
)

// Scopes is a set of scopes in the order of AllScopes.
type Scopes []Scope

// AllScopes returns every scope.
func AllScopes() Scopes { return Scopes{Read, Write, Reveal} }

// ParseScopes reads what String returns. It drops scopes that are unknown, such as
// those of a later version.
func ParseScopes(text string) Scopes { return scopesOf(strings.Split(text, ",")) }

// scopesOf returns the scopes with these names, each once.
func scopesOf(names []string) Scopes {
	return slices.DeleteFunc(AllScopes(), func(s Scope) bool { return !slices.Contains(names, string(s)) })
}

// String returns the names of the scopes, separated by commas.
func (s Scopes) String() string {
	names := make([]string, len(s))
	for i, scope := range s {
		names[i] = string(scope)
	}
	return strings.Join(names, ",")
}

// Has reports whether the scope is in the set.
func (s Scopes) Has(scope Scope) bool { return slices.Contains(s, scope) }

// known reports whether the scope exists.
func (s Scope) known() bool { return AllScopes().Has(s) }
