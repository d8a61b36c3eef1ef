package strictjson

import (
	"bytes"
	"slices"
	"strings"
)

// maxDistance is the largest edit distance of two names that are near.
const maxDistance = 2

// Nearest returns the name in known that is nearest to name: the shortest one that
// name is a prefix of, or the one at the smallest edit distance. Letter case and
// separators do not count. It returns the empty string where none is near.
func Nearest(name string, known []string) string {
	name = plain(Bounded(name))
	if name == "" {
		return ""
	}
	best, begun := "", 0
	for _, k := range known {
		if !strings.HasPrefix(plain(k), name) {
			continue
		}
		if begun++; best == "" || len(plain(k)) < len(plain(best)) {
			best = k
		}
	}
	// One letter begins too many names.
	if begun == 1 || begun > 1 && len(name) > 1 {
		return best
	}
	best, distance := "", maxDistance+1
	for _, k := range known {
		if d := editDistance(name, plain(k)); d < distance && alike(name, plain(k)) {
			best, distance = k, d
		}
	}
	return best
}

// alike reports whether at least half of the letters of the longer name are in the other
// one: two edits make any short name of another.
func alike(a, b string) bool {
	rest, common := []byte(b), 0
	for i := range len(a) {
		if at := bytes.IndexByte(rest, a[i]); at >= 0 {
			rest = slices.Delete(rest, at, at+1)
			common++
		}
	}
	return 2*common >= max(len(a), len(b))
}

// plain returns s in lower case and without separators.
func plain(s string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(s))
}

// editDistance returns the Levenshtein distance of a and b in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
