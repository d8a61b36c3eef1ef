package ask

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/headgate/headgate/internal/probe/facts"
)

// maxName bounds a name, in bytes. Names in PostgreSQL have at most 63, in the
// server's encoding; forks have longer ones.
const maxName = 512

// Decode reads the answer about parts into f. It rejects an answer that lacks a
// required part or that exceeds the statement's limits, and leaves f as it was.
func Decode(f *facts.Facts, answer []byte, parts []facts.Part) error {
	next := *f
	if err := json.Unmarshal(answer, &next); err != nil {
		return err
	}
	for _, p := range parts {
		if !p.Optional() && !next.Answered(p) {
			return fmt.Errorf("decode answer: no %s", p)
		}
	}
	if !bounded(&next) {
		return errors.New("decode answer: more than was asked for")
	}
	*f = next
	return nil
}

func bounded(f *facts.Facts) bool {
	if s := f.Server; s != nil && (len(s.Database) > maxName || len(s.Role) > maxName || len(s.SessionRole) > maxName) {
		return false
	}
	if s := f.FoundSlot(); s != nil && (len(s.Database) > maxName || len(s.WaitsFor) > maxListed) {
		return false
	}
	if !slotsBounded(f.Slots) {
		return false
	}
	t := f.Tables
	return t == nil || namesBounded(t.Closed, 1) && namesBounded(t.Locked, 1) &&
		namesBounded(t.Unreadable, 2) && namesBounded(t.NoIdentity, 2)
}

func slotsBounded(s *facts.Slots) bool {
	if s == nil {
		return true
	}
	for _, name := range s.Similar {
		if len(name) > maxName {
			return false
		}
	}
	for _, standby := range s.Standbys {
		if len(standby.Name) > maxName {
			return false
		}
	}
	return len(s.Similar) <= maxSimilar && len(s.Standbys) <= maxListed && s.FreeSuffix >= 0 && s.FreeSuffix <= maxFreeSuffix
}

// namesBounded reports whether l is no longer than the statement's limit, and each
// name has so many parts.
func namesBounded(l facts.Names, parts int) bool {
	for _, n := range l {
		if len(n) != parts {
			return false
		}
		for _, p := range n {
			if len(p) > maxName {
				return false
			}
		}
	}
	return len(l) <= maxListed
}
