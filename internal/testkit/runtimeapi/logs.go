package runtimeapi

import (
	"strings"
	"sync"
)

const logLimit = 4 << 20

// logBuffer keeps the last logLimit bytes of what is written to it.
type logBuffer struct {
	mu   sync.Mutex
	data []byte
}

func (b *logBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, data...)
	// Cutting only at twice the limit keeps writing cheap.
	if len(b.data) > 2*logLimit {
		b.data = append([]byte(nil), b.data[len(b.data)-logLimit:]...)
	}
	return len(data), nil
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.data[max(0, len(b.data)-logLimit):])
}

func (b *logBuffer) tail(limit int) string {
	text := strings.TrimSpace(b.String())
	return text[max(0, len(text)-limit):]
}
