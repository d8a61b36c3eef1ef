package facts

// Part names a part of the statement. Each can fail alone.
type Part string

// The parts.
const (
	PartServer      Part = "server"
	PartSettings    Part = "settings"
	PartPublication Part = "publication"
	PartSlot        Part = "slot"
	PartIdentity    Part = "identity"
	PartWALSenders  Part = "walsenders"
	PartTables      Part = "tables"
	// PartSlots is what concerns all replication slots of the server.
	PartSlots Part = "replication slots"
	// PartRowFilters is whether the publication has any.
	PartRowFilters Part = "row filters"
	// PartCreation is whether the publication of the request can be made.
	PartCreation Part = "new publication"
	// PartNewSlot is whether the role may make a slot.
	PartNewSlot Part = "new slot"
	// PartTableList is the list of all tables, which has a statement of its own.
	PartTableList Part = "list of tables"
)

// TargetParts returns the parts that are asked of a target.
func TargetParts() []Part {
	return []Part{PartServer, PartSettings, PartPublication, PartSlot, PartIdentity, PartWALSenders, PartTables, PartSlots, PartRowFilters, PartNewSlot}
}

// HealthParts returns the parts that are asked of a target that is registered.
func HealthParts() []Part {
	return []Part{PartServer, PartSettings, PartPublication, PartSlot, PartIdentity, PartWALSenders, PartTables, PartSlots, PartNewSlot}
}

// PrimaryParts returns the parts that show which cluster a primary belongs to.
func PrimaryParts() []Part { return []Part{PartServer, PartSettings, PartIdentity} }

// Optional reports whether the checks can do without p.
func (p Part) Optional() bool {
	switch p {
	case PartIdentity, PartWALSenders, PartTables, PartSlots, PartRowFilters, PartCreation, PartNewSlot:
		return true
	default:
		return false
	}
}

// Facts are the answers of one session. A part that was not answered is nil.
type Facts struct {
	Server      *Server              `json:"server"`
	Settings    Settings             `json:"settings"`
	Publication *Lookup[Publication] `json:"publication"`
	Slot        *Lookup[Slot]        `json:"slot"`
	// Identity is the cluster's system identifier.
	Identity *string `json:"identity"`
	// WALSenders is the number of walsenders in use.
	WALSenders *int    `json:"walsenders"`
	Tables     *Tables `json:"tables"`
	Slots      *Slots  `json:"replication slots"`
	// RowFilters is true if a table of the publication has one.
	RowFilters *bool `json:"row filters"`
	// Creation is asked for only if a request may make the publication, and nil if the
	// publication exists.
	Creation *Creation `json:"new publication"`
	NewSlot  *NewSlot  `json:"new slot"`
}

// Answered reports whether f has part p.
func (f *Facts) Answered(p Part) bool {
	switch p {
	case PartServer:
		return f.Server != nil
	case PartSettings:
		return f.Settings != nil
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
	case PartSlots:
		return f.Slots != nil
	case PartRowFilters:
		return f.RowFilters != nil
	case PartCreation:
		return f.Creation != nil
	case PartNewSlot:
		return f.NewSlot != nil
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
	// Near has the first names of other objects, those of the same letters before the
	// others. It is empty if the object was found.
	Near []string `json:"near"`
	// Unencodable is true if the database's encoding lacks a character of the name.
	Unencodable bool `json:"-"`
}

// Server is the server, and the role on it.
type Server struct {
	Version     int    `json:"version"`
	InRecovery  bool   `json:"in_recovery"`
	Database    string `json:"database"`
	DatabaseOID int64  `json:"database_oid"`
	PID         uint32 `json:"pid"`
	BackendType string `json:"backend_type"`
	Aurora      bool   `json:"aurora"`

	// Role is the current user, whose privileges count. ALTER ROLE … SET role makes it
	// another than SessionRole.
	Role string `json:"role"`
	// MayUseSlots is true if Role is a superuser or has REPLICATION.
	MayUseSlots bool `json:"may_use_slots"`
	// SessionRole is the role that logged in. Superuser, Replication and
	// RDSReplication are about it, because its attributes count at a login for
	// replication.
	SessionRole    string `json:"session_role"`
	Superuser      bool   `json:"superuser"`
	Replication    bool   `json:"replication"`
	RDSReplication bool   `json:"rds_replication"`
	// RoleLimit and DatabaseLimit are how many ordinary sessions SessionRole and the
	// database may have, negative without a limit.
	RoleLimit     *int `json:"role_limit"`
	DatabaseLimit *int `json:"database_limit"`
}

// Settings are settings of the server by name.
type Settings map[string]Setting

// Value returns the value of the setting called name, empty if it is not known.
func (s Settings) Value(name string) string { return s[name].Value }

// Setting is the value of a setting, where it comes from, and how it changes: columns of
// pg_settings.
type Setting struct {
	Value          string `json:"value"`
	Source         string `json:"source"`
	Context        string `json:"context"`
	PendingRestart bool   `json:"pending_restart"`
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
	// Owner is the publication's owner. Owned is whether the role has the owner's rights.
	Owner string `json:"owner"`
	Owned bool   `json:"owned"`
}
