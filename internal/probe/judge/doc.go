// Package judge turns what package ask learned about a server into checks. All of
// it is pure functions of facts.Evidence.
//
// Checks has one row for each check: its name, what it needs, and the function that
// returns its findings. A new check is a file and a row; a new finding of a check is
// a function in the check's file.
package judge
