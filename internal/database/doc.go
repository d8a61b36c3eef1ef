// Package database is the domain: registered databases, their payloads and the
// operations on them. An operation is a method of Service in a file of its own.
// The package reaches everything outside by the interfaces in ports.go.
package database
