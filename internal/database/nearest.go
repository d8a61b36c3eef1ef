package database

import "strings"

// nearest is the one of known that name was probably meant to be: the one with
// the smallest edit distance, case and separators aside.
func nearest(name string, known []string) string {
	best, distance := "", -1
	name = plain(bounded(name))
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
