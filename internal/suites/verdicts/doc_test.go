// Package verdicts_test holds headgate's verdicts against what a consumer meets.
//
// A generator makes scenes on a real server out of independent choices. For each
// scene it asks headgate, and then does with the same credentials what a consumer
// does: it logs in for replication, streams the slot through the publication,
// waits for the changes that an application makes, and copies every table. Each
// finding has to be explained by what happened, and each failure by a finding;
// every printed fix has to work and to harm nothing.
//
// The servers are real: Postgres of the major version under test, with standbys, one of
// the last version that is not supported, and PgBouncer in front. What can't be had on
// one machine has tests of its own in internal/probe: providers, a PgBouncer that
// forwards replication (1.23, which no package has), and name servers that fail.
package verdicts_test
