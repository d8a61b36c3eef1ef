//go:build !linux

package localrun

import "syscall"

// dieWithParent does nothing: outside Linux, a child may outlive a parent that
// is killed.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
