package sweep

import (
	"context"
	"sync"
	"sync/atomic"
)

// width is how many databases are looked for side by side.
const width = 8

// missing says of each secret whether its database is missing. The first error
// ends the search.
func (s *Sweeper) missing(ctx context.Context, secrets []Secret) ([]bool, error) {
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	missing := make([]bool, len(secrets))
	var next atomic.Int64
	var done sync.WaitGroup
	for range min(width, len(secrets)) {
		done.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(secrets) && work.Err() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if missing[i], err = s.isMissing(work, secrets[i]); err != nil {
					cancel(err) // the first counts
				}
			}
		})
	}
	done.Wait()
	if work.Err() != nil {
		return nil, context.Cause(work)
	}
	return missing, nil
}
