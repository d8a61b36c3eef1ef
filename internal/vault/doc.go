// Package vault keeps the passwords of databases in AWS Secrets Manager, one
// secret for each database, in versions.
//
// A secret is called <prefix>/<account>/<database id>, and holds the connection
// in the JSON form that RDS Proxy and DMS read. Its first version has the
// database's ID as its VersionId. A later one is put beside it under a label of
// its own, so that it is kept and yet nobody reads it; when the catalog has
// named it, Promote makes it the current one, or DropVersion lets it go.
//
// Nothing that Secrets Manager says in an error is passed on but its code, since
// the requests hold passwords and a message may quote them.
package vault
