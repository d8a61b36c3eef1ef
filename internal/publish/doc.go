// Package publish turns the records of the table's stream into events on the bus.
//
// The stream is a transactional outbox: a database is never written without a record,
// and no record exists without a write. Each record becomes at most one event, whose ID
// is that of the write, so that an event that is put twice has the same ID.
//
// A stream has its records in order for each item, and Lambda delivers them so. That is
// why an event about a database comes from the records of the database's own item, a
// delete's as well: the tombstone is another item, and is only read for its content.
package publish
