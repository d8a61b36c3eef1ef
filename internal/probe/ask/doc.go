// Package ask talks to a Postgres server, and records in facts.Evidence how far it
// came and what the server answered. It draws no conclusions: package judge does.
//
// A probe takes one TCP connection. All that is asked for is one statement over the
// simple protocol, which a walsender runs too, and which is pipelined with the end
// of the login.
package ask
