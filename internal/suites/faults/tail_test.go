package faults_test

import (
	"strings"
	"sync"
)

// tail keeps a log, for a cell that fails to show. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *tail) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}
