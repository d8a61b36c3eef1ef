package facts

// Tables is what is remarkable about the tables of a publication. The lists are
// cut; the totals are not.
type Tables struct {
	Count      int         `json:"count"`
	Partitions int         `json:"partitions"`
	Closed     Names       `json:"closed"`     // schemas without USAGE: [[schema]]
	Unreadable Names       `json:"unreadable"` // tables without SELECT: [[schema, table]]
	Locked     Names       `json:"locked"`     // schemas that have such tables
	NoIdentity Names       `json:"no_identity"`
	Totals     TableTotals `json:"totals"`
}

// TableTotals are the lengths of the lists in Tables before they were cut.
type TableTotals struct {
	Unreadable int `json:"unreadable"`
	NoIdentity int `json:"no_identity"`
}

// Names are qualified names, each as its parts.
type Names [][]string
