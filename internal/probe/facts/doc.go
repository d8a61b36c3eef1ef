// Package facts holds what a probe learned about one server, as plain values
// without types of a driver or of the network: Evidence has the outcome of every
// step, and Facts has what the session answered. Package ask fills them in, and
// package judge reads them.
package facts
