// Package probe checks a target: package ask collects facts from the server over
// the network, and package judge turns them into a report. Package facts is all
// that the two share.
//
// What the packages assume about servers was tried on PostgreSQL 13 to 18.
package probe
