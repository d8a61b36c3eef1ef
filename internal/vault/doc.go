// Package vault stores the passwords of databases in AWS Secrets Manager, one
// secret for each database.
//
// A secret is named <prefix>/<account>/<database id> and holds the connection in
// the JSON form that RDS Proxy and DMS read. The VersionId of its first version
// is the database's ID. An update adds a version under a staging label of its
// own, which keeps Secrets Manager from removing it. Once the catalog names that
// version, Promote makes it the current one; if the update fails, DropVersion
// removes the label.
//
// Requests hold passwords, and a message of Secrets Manager may quote them. So
// errors carry its error codes only.
package vault
