package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxPageBytes is the size limit of a list as it is sent: within a JSON string, which
// is what a body is in the response of a function. Lambda's limit for that is 6 MiB.
const maxPageBytes = 5_000_000

// page is the part of a list that goes into one response.
type page struct {
	// limit is the largest number of elements, 0 for no limit.
	limit    int
	elements []json.RawMessage
	bytes    int
}

func newPage(limit int) page { return page{limit: limit, elements: []json.RawMessage{}} }

// add appends element unless the page is full, and reports whether it did.
func (p *page) add(element any) (bool, error) {
	if p.limit > 0 && len(p.elements) == p.limit {
		return false, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(element); err != nil {
		return false, fmt.Errorf("encode an element of a list: %w", err)
	}
	// With the encoder's new line, for a comma. Of the characters in JSON, only these
	// two are escaped within a string.
	size := b.Len() + bytes.Count(b.Bytes(), []byte{'"'}) + bytes.Count(b.Bytes(), []byte{'\\'})
	if p.bytes+size > maxPageBytes {
		return false, nil
	}
	p.elements = append(p.elements, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	p.bytes += size
	return true, nil
}
