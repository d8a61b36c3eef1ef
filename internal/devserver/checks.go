package devserver

import (
	"context"
	"log/slog"
	"time"

	"github.com/headgate/headgate/internal/database"
)

// maxConcurrentChecks bounds the targets that are connected to at the same time. A
// function checks as many in one invocation.
const maxConcurrentChecks = 50

// checker checks the registered databases, in place of schedule-checks, the queue and
// check-database.
type checker struct {
	service *database.Service
	every   time.Duration
	log     *slog.Logger
}

// run checks until ctx ends, beginning at once.
func (c *checker) run(ctx context.Context) {
	ticker := time.NewTicker(c.every)
	defer ticker.Stop()
	for {
		c.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round checks every database with an active slot once.
func (c *checker) round(ctx context.Context) {
	var refs []database.Ref
	for shard := range database.CheckShards {
		for ref, err := range c.service.Catalog.ToCheck(ctx, shard) {
			if err != nil {
				if ctx.Err() == nil {
					c.log.ErrorContext(ctx, "databases to check not read", "error", err)
				}
				return
			}
			refs = append(refs, ref)
		}
	}
	for len(refs) > 0 && ctx.Err() == nil {
		n := min(len(refs), maxConcurrentChecks)
		for _, checked := range c.service.CheckHealth(ctx, refs[:n]) {
			switch {
			case checked.Err != nil && ctx.Err() == nil:
				c.log.ErrorContext(ctx, "database not checked", "database", checked.Ref.DatabaseID, "error", checked.Err)
			case checked.Changed:
				c.log.InfoContext(ctx, "health changed", "database", checked.Ref.DatabaseID,
					"status", string(checked.Health.Status), "checks", checked.Health.Checks.Codes())
			}
		}
		refs = refs[n:]
	}
}
