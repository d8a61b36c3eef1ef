package localrun

import (
	"strings"
	"sync"
)

const (
	// maxOutput is how many bytes an Output keeps.
	maxOutput = 4 << 20
	// maxTail is how many bytes of output an error carries.
	maxTail = 4000
)

// Output is an io.Writer that keeps the last 4 MiB written to it. The zero value
// is ready for use. Its methods are safe for concurrent use.
type Output struct {
	mu   sync.Mutex
	data []byte
}

// Write never fails.
func (o *Output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data = append(o.data, data...)
	// Cutting at twice the limit moves each byte at most once.
	if len(o.data) > 2*maxOutput {
		o.data = append([]byte(nil), o.data[len(o.data)-maxOutput:]...)
	}
	return len(data), nil
}

// String returns what was kept.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.data[max(0, len(o.data)-maxOutput):])
}

// Reset forgets what was kept.
func (o *Output) Reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data = nil
}

// Tail returns the end of a text, at most 4,000 bytes, without surrounding
// space.
func Tail(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxTail {
		text = "…" + text[len(text)-maxTail:]
	}
	return text
}
