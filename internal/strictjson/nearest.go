package strictjson

import "strings"

const (
	// minPrefix is the minimum length of a prefix that is near a name; a shorter one
	// is a prefix of too many names.
	minPrefix = 3
	// maxDistance is the largest edit distance of two names that are near.
	maxDistance = 2
)

// Nearest returns the name in known that is nearest to name: the shortest one that
// name is a prefix of, or the one at the smallest edit distance. Letter case and
// separators do not count. It returns the empty string where none is near.
func Nearest(name string, known []string) string {
	best := ""
	name = plain(Bounded(name))
	for _, k := range known {
		begins := len(name) >= minPrefix && strings.HasPrefix(plain(k), name)
		if begins && (best == "" || len(plain(k)) < len(plain(best))) {
			best = k
		}
	}
	if best != "" {
		return best
	}
	distance := maxDistance + 1
	for _, k := range known {
		if d := editDistance(name, plain(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
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
