package facts

// Tables is what is remarkable about the tables of a publication. The lists are cut;
// the totals are not.
type Tables struct {
	// Count is the number of tables under whose names changes are sent.
	Count int `json:"count"`
	// Partitioned is the number of published partitioned tables.
	Partitioned int      `json:"partitioned"`
	Closed      []Object `json:"closed"` // schemas without USAGE
	// Unreadable are tables of which the role can't read what is published.
	Unreadable []UnreadableTable `json:"unreadable"`
	// Secured are tables whose row-level security may hide rows from the role.
	Secured []SecuredTable `json:"secured"`
	// RowSecurity is the setting row_security: if it is off, reading a secured table is
	// an error.
	RowSecurity string    `json:"row_security"`
	Troubles    []Trouble `json:"troubles"`
	Totals      Totals    `json:"totals"`
}

// Totals are the lengths of the lists in Tables before they were cut. Those of the
// troubles are by kind.
type Totals struct {
	Unreadable  int `json:"unreadable"`
	Secured     int `json:"secured"`
	Missing     int `json:"missing"`
	Unpublished int `json:"unpublished"`
	Generated   int `json:"generated"`
	Filter      int `json:"filter"`
	// ColumnLists is the number of tables with a column list, and Owners that of the
	// owners of the unreadable tables.
	ColumnLists int `json:"column_lists"`
	Owners      int `json:"owners"`
}

// Of returns the number of tables in trouble of kind k.
func (t Totals) Of(k TroubleKind) int {
	switch k {
	case IdentityMissing:
		return t.Missing
	case IdentityUnpublished:
		return t.Unpublished
	case IdentityGenerated:
		return t.Generated
	default:
		return t.Filter
	}
}

// Troubled returns the number of tables in trouble of any kind.
func (t Totals) Troubled() int { return t.Missing + t.Unpublished + t.Generated + t.Filter }

// Names are qualified names, each as its parts.
type Names [][]string

// Object is a schema or a table. Its Name is [schema] or [schema, table]. Owned is
// whether the role has the owner's rights.
type Object struct {
	Name  []string `json:"name"`
	Owner string   `json:"owner"`
	Owned bool     `json:"owned"`
}

// UnreadableTable is a table that the role can't read. Columns is the column list of
// the publication, nil if there is none, and empty if it is too long to be listed.
type UnreadableTable struct {
	Object

	Columns []string `json:"columns"`
}

// PolicyPrefix starts the name of the policy that a fix makes.
const PolicyPrefix = "all rows for "

// SecuredTable is a table with row-level security. Restricted is true if a restrictive
// policy applies to the role. Policies are those whose names start with PolicyPrefix.
type SecuredTable struct {
	Object

	Restricted bool     `json:"restricted"`
	Policies   []string `json:"policies"`
}

// TroubleKind is why updates and deletes of a table fail while it is published.
type TroubleKind string

// The kinds of trouble. A table has the one that the server reports.
const (
	IdentityMissing     TroubleKind = "missing"     // no replica identity
	IdentityUnpublished TroubleKind = "unpublished" // the column list lacks columns of it
	IdentityGenerated   TroubleKind = "generated"   // a column of it is generated and not published
	FilterOutside       TroubleKind = "filter"      // the row filter has columns outside it
)

// Trouble is a table whose updates and deletes fail while it is published. With
// IdentityGenerated they pass up to PostgreSQL 17, and come without the column.
type Trouble struct {
	Object

	Kind TroubleKind `json:"kind"`
	// Identity is pg_class.relreplident.
	Identity string      `json:"identity"`
	OIDs     TroubleOIDs `json:"oids"`
	// Remedy is nil if it could not be asked for.
	Remedy *Remedy `json:"-"`
}

// TroubleOIDs identify a table in trouble, the partitioned table at its root, the table
// or ancestor in the publication, and the row of pg_publication_rel.
type TroubleOIDs struct {
	OID    int64  `json:"oid"`
	Root   int64  `json:"root"`
	Sender int64  `json:"sender"`
	Entry  *int64 `json:"entry"`
	Filter bool   `json:"filter"`
}

// Remedy is what can be done about a Trouble.
type Remedy struct {
	// Sender is the table or its ancestor in the publication that Columns, a column list,
	// and Filter, a row filter, are of.
	Sender        Object   `json:"sender"`
	Columns       []string `json:"columns"`
	Filter        string   `json:"filter"`
	FilterColumns []string `json:"filter_columns"`
	// IdentityColumns are the columns of the replica identity.
	IdentityColumns []string `json:"identity_columns"`
	// Unlistable is true if one of them is generated, and the server is too old to have it
	// in a column list.
	Unlistable bool `json:"unlistable"`
	// Virtual is true if the table has a virtual generated column.
	Virtual bool `json:"virtual"`
	// Key is the index that suits best as the replica identity, nil if none does.
	Key *Key `json:"key"`
	// Full is true if REPLICA IDENTITY FULL makes no publication of the table fail.
	Full bool `json:"full"`
}

// Key is a unique index on columns that can't be null.
type Key struct {
	Name    string   `json:"name"`
	Primary bool     `json:"primary"`
	Columns []string `json:"columns"`
}

// Candidates are the tables that could be published without harm, if none is.
type Candidates struct {
	Total  int         `json:"total"`
	Tables []Candidate `json:"tables"`
	// May is whether the role may make a publication. DatabaseOwner may.
	May           bool   `json:"may"`
	DatabaseOwner string `json:"database_owner"`
	// Unlogged is the number of tables that can't be published because they are unlogged.
	Unlogged int `json:"unlogged"`
	// Troubled is the number of tables whose updates and deletes would fail.
	Troubled int `json:"troubled"`
}

// Candidate is a table that could be published. OwnerMay is whether its owner may make
// a publication. Inherited is true if other tables, which are no partitions, inherit from
// it.
type Candidate struct {
	Object

	Partitioned bool `json:"partitioned"`
	Inherited   bool `json:"inherited"`
	OwnerMay    bool `json:"owner_may"`
}
