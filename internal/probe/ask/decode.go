package ask

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/headgate/headgate/internal/probe/facts"
)

// Decode reads the answer about parts into f. The answer is decoded apart and checked
// first: where it lacks a required part, or exceeds the statement's limits, f stays as
// it was. What the answer says beyond parts is dropped.
func Decode(f *facts.Facts, answer []byte, parts []facts.Part) error {
	var found facts.Facts
	if err := json.Unmarshal(answer, &found); err != nil {
		return err
	}
	for _, p := range parts {
		if !p.Optional() && !found.Answered(p) {
			return fmt.Errorf("decode answer: no %s", p)
		}
	}
	var asked facts.Facts
	asked.Take(&found, parts)
	if err := asked.Check(); err != nil {
		return err
	}
	if !bounded(&asked) {
		return errors.New("decode answer: more than was asked for")
	}
	f.Take(&asked, parts)
	return nil
}

// bounded reports whether the lists of f are no longer than the statement's limits.
func bounded(f *facts.Facts) bool {
	if s := f.FoundSlot(); s != nil && len(s.WaitsFor) > maxListed {
		return false
	}
	if !slotsBounded(f.Slots) {
		return false
	}
	if p := f.Publication; p != nil && len(p.Near) > maxListed {
		return false
	}
	if n := f.NewSlot; n != nil && n.Blockers != nil && len(n.Blockers.Holders) > maxBlockers {
		return false
	}
	return tablesBounded(f.Tables) && creationBounded(f.Creation)
}

// slotsBounded reports whether the facts about slots are within the statement's limits.
func slotsBounded(s *facts.Slots) bool {
	return s == nil || len(s.Similar) <= maxSimilar && len(s.Standbys) <= maxListed && s.FreeSuffix >= 0 && s.FreeSuffix <= maxFreeSuffix
}
