package database

import (
	"context"
	"time"

	"github.com/headgate/headgate/internal/check"
)

// Prober asks a target what it is.
type Prober interface {
	// Probe looks at t and reports every check, in order. What is wrong with the
	// target is in the report and not an error; it ends within 10 seconds, and
	// early when ctx does.
	Probe(ctx context.Context, t Target) check.Report
	// RefreshTables returns the tables of t's publication, ordered by schema and
	// name, or a report with a failed check. It ends when Probe would.
	RefreshTables(ctx context.Context, t Target) (Tables, check.Report)
}

// Catalog keeps databases without their passwords. Every read is consistent.
// Its errors are of kind Throttled or Unavailable, where nothing was changed,
// UnknownOutcome, or Internal, beside those named below.
type Catalog interface {
	// NameOwner is the ID of the account's database called name; NotFound where
	// there is none.
	NameOwner(ctx context.Context, account, name string) (string, error)
	// Get is the account's database with that ID; NotFound where there is none.
	Get(ctx context.Context, account, id string) (Database, error)
	// List gives at most limit of the account's databases in the order of their
	// creation, from the first one after the ID after (empty for the start). It
	// may give fewer than limit only where no more follow.
	List(ctx context.Context, account, after string, limit int) ([]Database, error)

	// Insert keeps a new database and takes its name in one step; with a claim,
	// it records d as that claim's result in the same step, on condition that
	// the claim is still c's. ErrNameTaken says that another database has the
	// name (where its kind is UnknownOutcome, an earlier attempt may yet land,
	// and what was kept for d must stay), ErrClaimLost that the claim is
	// another's now. An insert of the same database that landed before, unseen,
	// counts as done.
	Insert(ctx context.Context, d Database, c *Claim) error
	// Update replaces the database old with d, on condition that it is still at
	// old's version; where the name changed, the new one is taken and the old
	// one given up in the same step. ErrVersionConflict says that it is at
	// another version or gone, ErrNameTaken as in Insert; where the kind of
	// either is UnknownOutcome, an earlier attempt may have landed or may yet,
	// and what was kept for d must stay. An update that landed before, unseen,
	// counts as done: d.Change tells whose it is.
	Update(ctx context.Context, old, d Database) error
	// Delete removes d and gives up its name in one step, on condition that it
	// is still at d's version. ErrVersionConflict says that it is at another
	// one, NotFound that it is gone. A removal that landed before, unseen,
	// counts as done.
	Delete(ctx context.Context, d Database) error

	// Claim takes c.Key for c.Owner, where nobody has it: no record, one whose
	// time is up (24 hours from its claim), or a claim without a result that is
	// older than a minute. Otherwise it gives the claim that is there, which is
	// not an error; and c itself where it was taken, or had been taken by the
	// same owner before, unseen.
	Claim(ctx context.Context, c Claim) (Claim, error)
	// Release gives up a claim that has no result, if it is still c's.
	Release(ctx context.Context, c Claim) error

	// CursorKey is the account's key for signing cursors: 32 random bytes, made
	// when it is first asked for, the same ever after.
	CursorKey(ctx context.Context, account string) ([]byte, error)
}

// ClaimTime is how long a claim without a result stands: longer than any
// request runs. ReplayTime is how long a result is remembered.
const (
	ClaimTime  = time.Minute
	ReplayTime = 24 * time.Hour
)

// Claim is an idempotency key in use. Key and PayloadHash are hashes: there is
// nothing in a claim by which a password could be guessed.
type Claim struct {
	Account     string    `json:"account"`
	Key         string    `json:"key"` // hash of account and Idempotency-Key
	Owner       string    `json:"owner"`
	PayloadHash string    `json:"payload_hash"`
	ClaimedAt   time.Time `json:"claimed_at"`
	// Result is the database that the claim's request made, as it was then; nil
	// while it runs.
	Result *Database `json:"result,omitempty"`
}

// Vault keeps the passwords of databases, one secret for each, in versions.
// Its errors are of kind Throttled, Unavailable, NotFound or Internal.
type Vault interface {
	// Prepare gets ready for a Create that is to come before ctx ends, and returns
	// when it does or before. What fails is left to Create.
	Prepare(ctx context.Context)
	// Create keeps the first version of a database's passwords and gives its
	// name. The same call again gives the same version.
	Create(ctx context.Context, d Database, p Passwords) (version string, err error)
	// Read gives the passwords that belong to d's SecretVersion. One that is not
	// found yet is asked for again for some seconds.
	Read(ctx context.Context, account, id, version string) (Passwords, error)
	// ReadAll gives the passwords of many databases of one account, in their
	// order, in batches and side by side. A database whose secret is gone (it
	// was deleted in the meantime) has none, which is not an error.
	ReadAll(ctx context.Context, ds []Database) ([]Passwords, error)
	// AddVersion keeps another version beside the current one, under token,
	// which names it. The same call again gives the same version.
	AddVersion(ctx context.Context, d Database, p Passwords, token string) (version string, err error)
	// Promote makes a version the current one. It may be called again.
	Promote(ctx context.Context, account, id, version string) error
	// DropVersion lets go of a version that was added and not promoted.
	DropVersion(ctx context.Context, account, id, version string) error
	// ScheduleDeletion removes the secret with 7 days to restore it in. One that
	// is not there, or is to be removed already, counts as done.
	ScheduleDeletion(ctx context.Context, account, id string) error
	// Discard removes, for good, the secret of a database that was never
	// registered. One that is not there counts as removed.
	Discard(ctx context.Context, account, id string) error
}
