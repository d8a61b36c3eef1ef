package facts

// Part names a part of the statement. Each can fail alone.
type Part string

// The parts.
const (
	PartServer      Part = "server"
	PartPublication Part = "publication"
	PartSlot        Part = "slot"
	PartIdentity    Part = "identity"
	PartWALSenders  Part = "walsenders"
	PartTables      Part = "tables"
	// PartTableList is the list of all tables, which has a statement of its own.
	PartTableList Part = "list of tables"
)

// TargetParts returns the parts that are asked of a target.
func TargetParts() []Part {
	return []Part{PartServer, PartPublication, PartSlot, PartIdentity, PartWALSenders, PartTables}
}

// PrimaryParts returns the parts that show which cluster a primary belongs to.
func PrimaryParts() []Part { return []Part{PartServer, PartIdentity} }

// Optional reports whether the checks can do without p.
func (p Part) Optional() bool {
	return p == PartIdentity || p == PartWALSenders || p == PartTables
}

// Facts are the answers of one session. A part that was not answered is nil.
type Facts struct {
	Server      *Server              `json:"server"`
	Publication *Lookup[Publication] `json:"publication"`
	Slot        *Lookup[Slot]        `json:"slot"`
	// Identity is the cluster's system identifier.
	Identity *string `json:"identity"`
	// WALSenders is the number of walsenders in use.
	WALSenders *int    `json:"walsenders"`
	Tables     *Tables `json:"tables"`
}

// Answered reports whether f has part p.
func (f *Facts) Answered(p Part) bool {
	switch p {
	case PartServer:
		return f.Server != nil
	case PartPublication:
		return f.Publication != nil
	case PartSlot:
		return f.Slot != nil
	case PartIdentity:
		return f.Identity != nil
	case PartWALSenders:
		return f.WALSenders != nil
	case PartTables:
		return f.Tables != nil
	}
	return false
}

// FoundPublication returns the publication, or nil if there is none or if it was
// not asked for.
func (f *Facts) FoundPublication() *Publication {
	if f.Publication == nil {
		return nil
	}
	return f.Publication.Found
}

// FoundSlot returns the slot, or nil if there is none or if it was not asked for.
func (f *Facts) FoundSlot() *Slot {
	if f.Slot == nil {
		return nil
	}
	return f.Slot.Found
}

// Lookup is the answer about an object that may not exist: Found is nil then.
type Lookup[T any] struct {
	Found *T `json:"found"`
}

// Server is the server, its settings, and the role on it.
type Server struct {
	Version        int               `json:"version"`
	InRecovery     bool              `json:"in_recovery"`
	Database       string            `json:"database"`
	DatabaseOID    int64             `json:"database_oid"`
	PID            uint32            `json:"pid"`
	BackendType    string            `json:"backend_type"`
	Settings       map[string]string `json:"settings"`
	Role           string            `json:"role"`
	Superuser      bool              `json:"superuser"`
	Replication    bool              `json:"replication"`
	RDSReplication bool              `json:"rds_replication"`
	Aurora         bool              `json:"aurora"`
}

// Major returns the server's major version.
func (s *Server) Major() int { return s.Version / 10000 }

// Publication is a row of pg_publication. Age is the age of its xmin.
type Publication struct {
	AllTables bool  `json:"puballtables"`
	Insert    bool  `json:"pubinsert"`
	Update    bool  `json:"pubupdate"`
	Delete    bool  `json:"pubdelete"`
	Truncate  bool  `json:"pubtruncate"`
	ViaRoot   *bool `json:"pubviaroot"` // from 13
	Age       int64 `json:"age"`
}

// Slot is a row of pg_replication_slots. Age is the age of its catalog_xmin, and
// Retained is the WAL from its restart_lsn on, in bytes.
type Slot struct {
	Plugin             string  `json:"plugin"`
	SlotType           string  `json:"slot_type"`
	Database           string  `json:"database"`
	Temporary          bool    `json:"temporary"`
	Active             bool    `json:"active"`
	ActivePID          *int    `json:"active_pid"`
	RestartLSN         *string `json:"restart_lsn"`
	WALStatus          string  `json:"wal_status"`          // from 13
	SafeWALSize        *int64  `json:"safe_wal_size"`       // from 13
	Conflicting        bool    `json:"conflicting"`         // from 16
	InvalidationReason *string `json:"invalidation_reason"` // from 17
	Synced             bool    `json:"synced"`              // from 17
	Age                *int64  `json:"age"`
	Retained           *int64  `json:"retained"`
}

// Invalidated reports whether a logical slot can't be read any more. It shows in
// different ways: up to 15 wal_status is lost and restart_lsn is null, 16 calls the
// slot conflicting, and from 17 there is a reason.
func (s *Slot) Invalidated() bool {
	return s.WALStatus == "lost" || s.RestartLSN == nil || s.Conflicting || s.InvalidationReason != nil
}
