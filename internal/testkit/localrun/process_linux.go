package localrun

import "syscall"

// dieWithParent makes the kernel send the signal when the starting thread ends.
func dieWithParent(attributes *syscall.SysProcAttr, signal syscall.Signal) {
	attributes.Pdeathsig = signal
}
