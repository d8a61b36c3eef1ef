// Package storetest holds what every implementation of the stores must do, as
// suites of tests, and what their tests share. Each suite takes a function that
// gives a store, which may hold other tests' data: the suites use accounts of
// their own.
package storetest
