// Package catalog keeps databases and API keys in one DynamoDB table.
//
// The table's key is PK and SK, both strings, and its TTL attribute is
// expires_at. It holds these items:
//
//	PK                SK               attributes
//	account#<account> database#<id>    version, change, secret_version, created_at, document
//	account#<account> name#<name>      database_id
//	account#<account> request#<hash>   owner, payload_hash, claimed_at, expires_at, database, result
//	account#<account> cursor           cursor_key
//	account#<account> key#<key's id>   hash, expires_at
//	key#<hash>        key              account_id, id, name, created_at, expires_at, revoked_at
//
// The document is the database as JSON, and so is the result of a request with an
// idempotency key, the database that it made. No password and no API key is in any of
// them: the one is in the vault, and of the other there is only its SHA-256.
// Since IDs are UUIDs of version 7, a query for database# gives an account's
// databases in the order of their creation.
package catalog
