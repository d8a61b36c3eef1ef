package facts

// Creation is what decides whether the publication of the request can be made. The
// lists are cut, and the totals are not.
type Creation struct {
	// Superuser and May are about the role: May is CREATE on the database, which
	// DatabaseOwner can grant.
	Superuser     bool   `json:"superuser"`
	May           bool   `json:"may"`
	DatabaseOwner string `json:"database_owner"`
	// Misnamed are tables of the request that can't be published, and MisnamedSchemas
	// such schemas.
	Misnamed        []Misnamed `json:"misnamed"`
	MisnamedSchemas []Misnamed `json:"misnamed_schemas"`
	// Foreign are tables of the request that the role does not own.
	Foreign      []Object `json:"foreign"`
	ForeignTotal int      `json:"foreign_total"`
	// Unsafe are tables whose updates and deletes would fail once they are published.
	Unsafe      []Trouble `json:"unsafe"`
	UnsafeTotal int       `json:"unsafe_total"`
	// Owned are the first tables that could be named without harm. They are asked for if
	// the role may not publish what the request says.
	Owned []Object `json:"owned"`
}

// NewSlot is whether the role may execute the function that makes a slot, which is
// written with the types of its parameters.
type NewSlot struct {
	May      bool   `json:"may"`
	Function string `json:"function"`
	// Blockers are what the creation of a slot that does not exist would wait for now.
	Blockers *Blockers `json:"blockers"`
}

// Misnamed is an element of a list of the request, by its index.
type Misnamed struct {
	Index  int    `json:"index"`
	Reason Misfit `json:"reason"`
}

// Misfit is why a table or a schema can't be published.
type Misfit string

// The reasons.
const (
	Absent    Misfit = "absent"
	NotATable Misfit = "not a table" // a view, a foreign table, an index, …
	System    Misfit = "system"      // of the server itself
	Unlogged  Misfit = "unlogged"
	TempTable Misfit = "temporary"
	OddChild  Misfit = "child"   // a table that inherits from it can't be published
	TooOld    Misfit = "too old" // needs a newer server: a schema 15, a partitioned table 13
)

// Attempt is the outcome of making or dropping one object.
type Attempt struct {
	Outcome AttemptOutcome
	// Failure is set if the outcome is AttemptFailed or AttemptUnknown.
	Failure Failure
}

// AttemptOutcome is how an attempt ended.
type AttemptOutcome int

// The outcomes of an attempt.
const (
	NotAttempted   AttemptOutcome = iota
	Made                          // or dropped
	Found                         // somebody else had made it, or dropped it
	AttemptFailed                 // and changed nothing
	AttemptUnknown                // no answer: it may have taken effect
)

// Blockers are the transactions that the creation of a slot waits for: those that have
// written, and are open when it begins.
type Blockers struct {
	Total   int       `json:"total"`
	Holders []Blocker `json:"holders"`
}

// Blocker is an open transaction. A prepared one has no PID. Since is empty where the
// server does not show it to the role.
type Blocker struct {
	PID      int64  `json:"pid"`
	Role     string `json:"role"`
	Since    string `json:"since"`
	Prepared string `json:"prepared"`
}

// Making has what was made on one server, or dropped there.
type Making struct {
	Publication Attempt
	Slot        Attempt
	// Replay is set if the standby did not replay the publication in time.
	Replay *Failure
	// Blockers is nil if they were not asked for.
	Blockers *Blockers
	// SnapshotDenied is true if the role may not make the primary log its running
	// transactions.
	SnapshotDenied bool
}
