package database

import "context"

// Prober asks a target what it is.
type Prober interface {
	// Probe looks at t and reports every check, in order. What is wrong with the
	// target is in the report and not an error; it ends within 10 seconds, and
	// early when ctx does.
	Probe(ctx context.Context, t Target) Report
}

// Catalog keeps databases without their passwords. Every read is consistent.
// Its errors are of kind Throttled or Unavailable, where nothing was changed,
// UnknownOutcome, or Internal, beside those named below.
type Catalog interface {
	// NameOwner is the ID of the account's database called name; NotFound where
	// there is none.
	NameOwner(ctx context.Context, account, name string) (string, error)
	// Insert keeps a new database and takes its name in one step. ErrNameTaken
	// says that another database has the name. An insert of the same database
	// that landed before, unseen, counts as done.
	Insert(ctx context.Context, d Database) error
}

// Vault keeps the passwords of databases, one secret for each, in versions.
// Its errors are of kind Throttled, Unavailable, NotFound or Internal.
type Vault interface {
	// Create keeps the first version of a database's passwords and gives its
	// name. The same call again gives the same version.
	Create(ctx context.Context, d Database, p Passwords) (version string, err error)
	// Discard removes, for good, the secret of a database that was never
	// registered. One that is not there counts as removed.
	Discard(ctx context.Context, account, id string) error
}
