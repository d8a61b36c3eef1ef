package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/headgate/headgate/internal/database"
)

// page is the part of a list that goes into one response.
type page struct {
	// limit is the largest number of elements, 0 for no limit.
	limit    int
	elements []json.RawMessage
	bytes    int
	// encoded has one element while it is measured.
	encoded bytes.Buffer
}

func newPage(limit int) *page { return &page{limit: limit, elements: []json.RawMessage{}} }

// add appends element unless the page is full, and reports whether it did.
func (p *page) add(element any) (bool, error) {
	if p.limit > 0 && len(p.elements) == p.limit {
		return false, nil
	}
	p.encoded.Reset()
	enc := json.NewEncoder(&p.encoded)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(element); err != nil {
		return false, fmt.Errorf("encode an element of a list: %w", err)
	}
	// With the encoder's new line, for a comma. Of the characters in JSON, only these
	// two are escaped within a string.
	b := p.encoded.Bytes()
	size := len(b) + bytes.Count(b, []byte{'"'}) + bytes.Count(b, []byte{'\\'})
	if p.bytes+size > database.MaxListBytes {
		return false, nil
	}
	p.elements = append(p.elements, bytes.Clone(bytes.TrimSuffix(b, []byte("\n"))))
	p.bytes += size
	return true, nil
}
