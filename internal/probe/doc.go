// Package probe asks a Postgres server what it is, and turns the answer into
// checks. Asking (the network: address, dial, session, ask) and judging (pure
// functions from evidence to checks: judge and what it calls) are apart.
//
// Facts about servers were tried on PostgreSQL 13 to 18.
package probe
