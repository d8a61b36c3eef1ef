package database

import "strings"

// nearest is the one of known that name was probably meant to be, case and
// separators aside: the shortest that name begins or ends, as slots does
// replication_slots, or else the one with the smallest edit distance.
func nearest(name string, known []string) string {
	const word = 4 // fewer letters begin or end too much
	best, distance := "", -1
	name = plain(bounded(name))
	for _, k := range known {
		p := plain(k)
		part := len(name) >= word && (strings.HasPrefix(p, name) || strings.HasSuffix(p, name))
		if part && (best == "" || len(p) < len(plain(best))) {
			best = k
		}
	}
	if best != "" {
		return best
	}
	for _, k := range known {
		if d := editDistance(name, plain(k)); distance < 0 || d < distance {
			best, distance = k, d
		}
	}
	return best
}

func plain(s string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(s))
}

// editDistance is Levenshtein's: insertions, deletions and substitutions.
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
