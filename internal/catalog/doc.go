// Package catalog stores databases and API keys in one DynamoDB table.
//
// The table's key is PK and SK, both strings. Its TTL attribute is expires_at. It
// holds these items:
//
//	PK                SK               attributes
//	account#<account> database#<id>    version, change, secret_version, created_at, document, check_shard
//	account#<account> health#<id>      change, request_id, document
//	account#<account> name#<name>      database_id
//	account#<account> deleted#<id>     document, expires_at
//	account#<account> request#<hash>   owner, payload_hash, claimed_at, expires_at, database, result
//	pending           <account>#<hash>#<id>  document
//	slot#<hash>       slot             users, holder, held_until
//	cursor#<account>  cursor           cursor_key
//	keys#<account>    key#<key's id>   hash, expires_at
//	key#<hash>        key              account_id, id, name, scopes, created_at, expires_at, revoked_at,
//	                                   last_used_on
//
// document is the database, or its health (database.HealthRecord), as JSON. A health's
// change is another one whenever consumers have to be told, and the document then has the
// database object as it was checked; other writes keep the change. The document of a tombstone is the database with the change, the time and the
// origin of the delete. publish-changes reads them there, because the record of a
// deleted item in the table's stream only has the item as it was before. result is the database that a request with an
// idempotency key created, also as JSON. The table holds no password, which the
// vault stores, and of an API key only the SHA-256. IDs are UUIDs of version 7, so
// a query for database# returns an account's databases in the order of creation.
//
// The index "checks" (check_shard, PK) has the keys of the databases whose slot is
// active: only they have a check_shard.
//
// A pending item is what a request is about to make on a target, by the hash of its
// idempotency key, if it has one, and the database's ID. The item of a slot, or of a
// publication, records which databases have it, of all accounts, and who is dropping it at
// the moment.
//
// Cursor keys and the index of API keys have partitions of their own, because IAM
// can limit a function to partitions, but not to sort keys: list-databases stores
// cursor keys and must not store databases.
package catalog
