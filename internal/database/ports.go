package database

import (
	"context"
	"hash/fnv"
	"iter"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
)

// Prober looks at targets and changes nothing there. Each call ends within 10
// seconds, and early if ctx does.
type Prober interface {
	// Probe runs every check on t. What is wrong with the target is in the report.
	Probe(ctx context.Context, t Target) Examination
	// RefreshTables passes the tables of t's publication to add, ordered by schema and
	// name, until add returns false. If they can't be read, the report has a failed
	// check, and add may have got some of them.
	RefreshTables(ctx context.Context, t Target, add func(Table) bool) Examination
}

// Examination is what a probe found.
type Examination struct {
	// Report has every check in order. A check of something that would be made has passed,
	// with a message that says so.
	Report check.Report
	// OutOfTime is whether the report is incomplete because this process was too busy.
	OutOfTime bool
	// Source is empty where the server did not tell.
	Source Source
	// Missing is what the target lacks and the target's Creation would make, if nothing in
	// the report has failed.
	Missing Making
	// Fields has the tables and schemas of the Creation that do not exist, by the path
	// of the request's field. The report then has a failed check too.
	Fields apierror.FieldErrors
}

// Source identifies the server that a slot is on: whatever its host is called, it has
// the same identifier.
type Source struct {
	SystemIdentifier string `json:"system_identifier,omitempty"`
}

// Making is a selection of the objects that are made on a target and dropped there.
type Making struct {
	Publication bool `json:"publication,omitempty"`
	Slot        bool `json:"slot,omitempty"`
}

// Maker makes publications and slots on targets, and drops them. A publication is on
// the primary where the target is a standby, and the slot on the target. What is
// wrong is a failed check of the report, which has only the checks of what was done.
type Maker interface {
	// Make creates what m selects as t's Creation says: the publication, then the slot.
	// It ends when ctx does, and needs at most 18 seconds, of which 10 are for the slot. What somebody else has made in
	// the meantime is left as it is. If a step fails, Make drops what it has made. made
	// is what is there by its hand when it returns: after a failure, what could not be
	// dropped.
	Make(ctx context.Context, t Target, m Making) (made Making, report check.Report)
	// Drop drops what m selects, or nothing if one of it may not be dropped: the slot
	// only if it is an inactive one of t's database with the plugin pgoutput and the
	// server is source, the publication only by its owner. What does not exist is no
	// failure, and not in dropped. Drop ends within 10 seconds.
	Drop(ctx context.Context, t Target, source Source, m Making) (dropped Making, report check.Report)
	// DropStatements returns the SQL that drops t's slot, if that is an inactive one of t's
	// database with the plugin pgoutput, and in its comment the statement that drops the
	// publication, unless t has none.
	DropStatements(t Target) string
}

// HealthProber looks at targets that are registered, every few minutes. Each call ends
// within 10 seconds, and early if ctx does.
type HealthProber interface {
	// CheckHealth runs the checks that an ordinary session can decide: it takes no
	// walsender and reads no changes. The size of the retained WAL is judged by l. The
	// error's kind is Unavailable if this process was too busy to look.
	CheckHealth(ctx context.Context, t Target, l HealthLimits) (check.Report, SlotState, error)
}

// Catalog stores databases without their passwords. Every read is consistent.
// Besides the errors that a method names, errors are of kind Throttled or
// Unavailable (nothing was changed), UnknownOutcome or Internal.
type Catalog interface {
	// NameOwner returns the ID of the account's database with that name. The
	// error's kind is NotFound if no database has it.
	NameOwner(ctx context.Context, account, name string) (string, error)
	// Get returns the account's database with that ID. The error's kind is
	// NotFound if it does not exist.
	Get(ctx context.Context, account, id string) (Database, error)
	// List returns up to limit of the account's databases in the order of their
	// creation, starting after the ID after (empty for the first). It returns
	// fewer than limit only if no more follow.
	List(ctx context.Context, account, after string, limit int) ([]Database, error)

	// Insert stores a new database and takes its name in one transaction. With a
	// claim, the transaction also records d as the claim's result, on condition
	// that the claim is still held. ErrNameTaken says that another database has
	// the name, ErrClaimLost that another request holds the claim. If
	// ErrNameTaken comes with the kind UnknownOutcome, an earlier attempt may
	// still land, and what was stored for d must stay. Insert is idempotent.
	//
	// If d has a SlotKey, the transaction records d as a user of the slot. The error is
	// a *SlotSharedError if other databases are recorded, unless the option ShareSlot is
	// given, and ErrSlotHeld while the slot is held. A *SlotSharedError with the kind
	// UnknownOutcome says that an earlier attempt may still land. With the option
	// CompletePending, the transaction removes the pending item, which must exist:
	// otherwise the error is ErrPendingGone. d is recorded as a user of its publication,
	// by its PublicationKey, too: there may be others, and MaxSlotUsers are recorded.
	Insert(ctx context.Context, d Database, c *Claim, options ...WriteOption) error
	// Update replaces old by d, on condition that the stored version is old's. A
	// new name is taken, and the old one freed, in the same transaction.
	// ErrVersionConflict says that the database has another version or is gone,
	// ErrNameTaken is as in Insert. If either comes with the kind UnknownOutcome,
	// an earlier attempt may have landed or may still, and what was stored for d
	// must stay. Update is idempotent: d.Change identifies the write. Where old and d
	// have different SlotKeys or PublicationKeys, d's record moves; the options and errors
	// are as in Insert.
	Update(ctx context.Context, old, d Database, options ...WriteOption) error
	// Delete removes d and frees its name in one transaction, on condition that
	// the stored version is d's, with the records and the holds of its slot and its
	// publication. d.Change,
	// d.ChangedBy and d.UpdatedAt are those of the delete. ErrVersionConflict says that
	// the version is another. The error's kind is NotFound if d is gone and an attempt
	// of this call did not remove it.
	Delete(ctx context.Context, d Database) error

	// Claim takes c.Key for c.Owner and returns c, unless the key is claimed: then
	// it returns that claim. A claim lapses after ReplayTime, and one without a
	// result after ClaimTime. Claim is idempotent for one owner.
	Claim(ctx context.Context, c Claim) (Claim, error)
	// Release gives up c if c.Owner still holds it and it has no result.
	Release(ctx context.Context, c Claim) error

	// Health returns the health that was stored for the account's database with that
	// ID. The error's kind is NotFound if no database has it.
	Health(ctx context.Context, account, id string) (HealthRecord, error)
	// HealthBetween returns what Health does for all of the account's databases from
	// one ID to another, both included, by ID.
	HealthBetween(ctx context.Context, account, first, last string) (map[string]HealthRecord, error)
	// PutHealth stores r, on condition that the database exists and that what is stored
	// has the change previous (empty: nothing is stored). ErrVersionConflict says that
	// another check was first. The error's kind is NotFound if the database is gone.
	// Delete removes what PutHealth stored.
	PutHealth(ctx context.Context, r HealthRecord, previous string) error
	// ToCheck returns the databases whose slot is active, of one of CheckShards shards.
	// It is eventually consistent, and ends with its first error.
	ToCheck(ctx context.Context, shard int) iter.Seq2[Ref, error]

	// SlotUsers returns the recorded users of the slot, or of the publication, with that
	// key.
	SlotUsers(ctx context.Context, key string) ([]SlotUser, error)
	// HoldSlot keeps the slot, or the publication, from being registered, by an insert or an update, until
	// the hold lapses or is released. The error is a *SlotSharedError if the recorded
	// users are not h.Expected, and ErrSlotHeld while somebody else holds the slot. It is
	// idempotent for one holder.
	HoldSlot(ctx context.Context, h SlotHold) error
	// ReleaseSlot ends a hold, unless it is another's by now.
	ReleaseSlot(ctx context.Context, h SlotHold) error

	// AddPending stores p. It is idempotent.
	AddPending(ctx context.Context, p Pending) error
	// RemovePending removes p. It is idempotent.
	RemovePending(ctx context.Context, p Pending) error
	// PendingOf returns the account's pending items of a claim's key.
	PendingOf(ctx context.Context, account, claimKey string) ([]Pending, error)
	// AllPending returns the pending items of all accounts.
	AllPending(ctx context.Context) ([]Pending, error)

	// CursorKey returns the account's key for signing cursors: CursorKeyBytes random
	// bytes, made by the first call.
	CursorKey(ctx context.Context, account string) ([]byte, error)
}

// CheckShards is the number of shards of the databases to check. Each is read apart.
const CheckShards = 16

// Ref identifies a database.
type Ref struct {
	Account    string `json:"account_id"`
	DatabaseID string `json:"database_id"`
}

// Shard returns the shard of r's database.
func (r Ref) Shard() int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.DatabaseID)) // it never fails
	return int(h.Sum32() % CheckShards)
}

// Writing is what an insert or an update does besides writing the database.
type Writing struct {
	// Pending is the item to remove, nil for none.
	Pending *Pending
	// ShareSlot permits other databases with the same slot.
	ShareSlot bool
}

// WriteOption is an option of Insert and Update.
type WriteOption func(*Writing)

// CompletePending removes p in the same transaction.
func CompletePending(p Pending) WriteOption { return func(w *Writing) { w.Pending = &p } }

// ShareSlot permits other databases with the same slot.
func ShareSlot() WriteOption { return func(w *Writing) { w.ShareSlot = true } }

// NewWriting returns what the options say.
func NewWriting(options []WriteOption) Writing {
	var w Writing
	for _, option := range options {
		option(&w)
	}
	return w
}

// CursorKeyBytes is the length of a key for signing cursors.
const CursorKeyBytes = 32

const (
	// ClaimTime is how long a claim without a result is valid. No request runs
	// longer.
	ClaimTime = time.Minute
	// ReplayTime is how long a result is remembered.
	ReplayTime = 24 * time.Hour
)

// Claim is an idempotency key in use. Key and PayloadHash are hashes from which no
// password can be guessed.
type Claim struct {
	Account     string    `json:"account"`
	Key         string    `json:"key"` // hash of the account and the Idempotency-Key
	Owner       string    `json:"owner"`
	PayloadHash string    `json:"payload_hash"`
	ClaimedAt   time.Time `json:"claimed_at"`
	// Result is the database as the claim's request registered it, nil while the
	// request runs.
	Result *Database `json:"result,omitempty"`
}

// Vault stores the passwords of databases: one secret for each database, in
// versions. The kinds of its errors are Throttled, Unavailable, NotFound and
// Internal.
type Vault interface {
	// Prepare connects ahead of a Create. It returns when it is done or ctx ends,
	// and leaves errors to Create.
	Prepare(ctx context.Context)
	// Create stores the first version of a database's passwords. It is idempotent.
	Create(ctx context.Context, d Database, p Passwords) (SecretVersion, error)
	// Read returns the passwords of a version. It retries for some seconds a
	// version that is not found.
	Read(ctx context.Context, account, id, version string) (Passwords, error)
	// ReadAll returns the passwords of databases of one account, in the same
	// order, by concurrent batches. A database whose secret is gone, because it was
	// deleted in the meantime, has empty ones.
	ReadAll(ctx context.Context, ds []Database) ([]Passwords, error)
	// AddVersion stores another version, which does not become the current one.
	// token names it. It is idempotent.
	AddVersion(ctx context.Context, d Database, p Passwords, token string) (SecretVersion, error)
	// Recreate is AddVersion for a database whose passwords were by reference: it
	// creates the secret, or restores the one that an earlier update left.
	Recreate(ctx context.Context, d Database, p Passwords, token string) (SecretVersion, error)
	// Restore takes back ScheduleDeletion. It is idempotent, and succeeds where there
	// is no secret or none that is scheduled.
	Restore(ctx context.Context, account, id string) error
	// Promote makes a version the current one. It is idempotent.
	Promote(ctx context.Context, account, id, version string) error
	// DropVersion removes a version that was added and not promoted.
	DropVersion(ctx context.Context, account, id, version string) error
	// ScheduleDeletion schedules the secret for deletion in 7 days, until when it
	// can be restored. It is idempotent, and succeeds where there is no secret.
	ScheduleDeletion(ctx context.Context, account, id string) error
	// Discard deletes the secret of a database that was not registered, for good.
	// It succeeds if the secret does not exist.
	Discard(ctx context.Context, account, id string) error
}

// SecretVersion is a stored version of a secret.
type SecretVersion struct {
	Version string
	// ARN is the secret's, empty in a vault without ARNs.
	ARN string
}

// References reads passwords from secrets that belong to somebody else.
type References interface {
	// Open returns what a secret holds. The error's kind is NotFound if there is
	// no such secret or its owner did not share it with the account (its value is
	// not read then), Invalid if it can't be read or has another form, with a
	// summary that says so, Throttled, Unavailable or Internal.
	Open(ctx context.Context, account, arn string) (Referenced, error)
}

// Referenced is the content of a secret in the form that RDS uses. Host and Port are
// what the secret's owner lets the password be used for.
type Referenced struct {
	Username string
	Password Password
	Host     string
	Port     int
}
