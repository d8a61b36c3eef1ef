// Package storetest has the tests that every implementation of a store must pass,
// and what the stores' own tests share. A store may hold data of other tests: each
// test uses its own accounts.
package storetest
