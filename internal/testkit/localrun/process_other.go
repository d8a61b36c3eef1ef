//go:build !linux

package localrun

import "syscall"

// Other systems have no such signal: there a child may outlive a parent that
// is killed.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
