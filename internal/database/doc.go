// Package database is the domain: what a database connection is, how its
// payload is read and checked, and how one is created. It talks to the outside
// only through the interfaces it declares (Catalog, Vault, Prober).
package database
