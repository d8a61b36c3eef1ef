// Package requestlog writes the one line that each request, event and invocation
// leaves in the log, with its metrics in CloudWatch's embedded format.
//
// [Start] puts a record into the context. The packages below note in it what they
// alone know: [Retried] counts the repeated calls of stores, [SetDatabase] names
// the database that the request is about. [Entry.Write] reads it.
package requestlog
