// Package health checks the registered databases that messages on a queue name. Its
// subpackage schedule puts them there.
//
// A message names up to 10 databases, and an invocation gets several messages. All
// targets are checked at the same time, so the slowest one decides how long an
// invocation takes, and delays no check of another.
package health
