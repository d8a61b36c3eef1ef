//go:build !linux

package runtimeapi

import "syscall"

// Other systems have no such signal: there the process may outlive a parent
// that is killed.
func dieWithParent(*syscall.SysProcAttr) {}
