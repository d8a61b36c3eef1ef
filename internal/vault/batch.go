package vault

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"golang.org/x/sync/errgroup"

	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

const (
	// maxBatchSize is BatchGetSecretValue's limit.
	maxBatchSize = 20
	// maxConcurrentCalls leaves most of the account's request rate to its other
	// users.
	maxConcurrentCalls = 8
	// notFoundTimeout is how long secrets that are not found are retried, all of
	// them together.
	notFoundTimeout = 2 * time.Second
	notFoundDelay   = 200 * time.Millisecond
)

// ReadAll returns the passwords of ds, in their order. A database whose secret is
// deleted has none. The error's kind is Throttled, Unavailable or Internal.
//
// A batch returns current versions. Secrets that it lacks, or that have another
// version than the catalog's, are read one by one.
func (v *Vault) ReadAll(ctx context.Context, ds []database.Database) ([]database.Passwords, error) {
	all := make([]database.Passwords, len(ds))
	remaining := make([][]int, (len(ds)+maxBatchSize-1)/maxBatchSize)
	err := forEach(ctx, len(remaining), func(ctx context.Context, n int) (err error) {
		from, to := n*maxBatchSize, min((n+1)*maxBatchSize, len(ds))
		remaining[n], err = v.readBatch(ctx, ds, all, from, to)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := v.readRemaining(ctx, ds, all, slices.Concat(remaining...)); err != nil {
		return nil, err
	}
	return all, nil
}

// readBatch reads the passwords of ds[from:to] into all. It returns the indexes of
// those that the batch does not have.
func (v *Vault) readBatch(ctx context.Context, ds []database.Database, all []database.Passwords, from, to int) (remaining []int, err error) {
	found, err := v.batch(ctx, ds[from:to])
	if err != nil {
		return nil, err
	}
	for i := from; i < to; i++ {
		secret, ok := found[*v.name(ds[i].Account, ds[i].ID)]
		if !ok || aws.ToString(secret.VersionId) != ds[i].SecretVersion {
			remaining = append(remaining, i)
			continue
		}
		if all[i], err = decode(aws.ToString(secret.SecretString)); err != nil {
			return nil, internal(err)
		}
	}
	return remaining, nil
}

// batch returns the current versions of the secrets of ds by name. A secret that
// cannot be read is missing: reading it alone tells why.
func (v *Vault) batch(ctx context.Context, ds []database.Database) (map[string]types.SecretValueEntry, error) {
	in := &secretsmanager.BatchGetSecretValueInput{}
	for _, d := range ds {
		in.SecretIdList = append(in.SecretIdList, *v.name(d.Account, d.ID))
	}
	out, err := awsretry.Call(ctx, patient(callTimeout, attemptTimeout), v.client.BatchGetSecretValue, in)
	switch {
	case isNotFound(err), isInvalidRequest(err):
		return nil, nil
	case err != nil:
		return nil, callError("BatchGetSecretValue", err)
	}
	found := make(map[string]types.SecretValueEntry, len(ds))
	for _, s := range out.SecretValues {
		found[aws.ToString(s.Name)] = s
	}
	return found, nil
}

// readRemaining reads the passwords of the databases at the given indexes into
// all, each by its version. It retries those that are not found for 2 seconds.
func (v *Vault) readRemaining(ctx context.Context, ds []database.Database, all []database.Passwords, indexes []int) error {
	timeout := time.NewTimer(notFoundTimeout)
	defer timeout.Stop()
	for {
		missing := make([]bool, len(indexes))
		err := forEach(ctx, len(indexes), func(ctx context.Context, n int) (err error) {
			all[indexes[n]], missing[n], err = v.readOne(ctx, ds[indexes[n]])
			return err
		})
		if err != nil {
			return err
		}
		if indexes = pick(indexes, missing); len(indexes) == 0 {
			return nil
		}
		select {
		case <-timeout.C:
			return nil
		case <-ctx.Done():
			return unavailable(ctx.Err())
		case <-time.After(notFoundDelay):
		}
	}
}

// pick returns the indexes whose flag is set.
func pick(indexes []int, flags []bool) []int {
	var picked []int
	for n, index := range indexes {
		if flags[n] {
			picked = append(picked, index)
		}
	}
	return picked
}

// readOne returns the passwords in d's version, and whether it is missing, perhaps
// because it is new. The passwords of a secret that is scheduled for deletion are
// empty.
func (v *Vault) readOne(ctx context.Context, d database.Database) (p database.Passwords, missing bool, err error) {
	if d.SecretVersion == "" {
		return p, false, internal(errNoVersion)
	}
	out, err := awsretry.Call(ctx, usual(), v.client.GetSecretValue, v.valueInput(d.Account, d.ID, d.SecretVersion))
	switch {
	case err == nil:
		if p, err = decode(aws.ToString(out.SecretString)); err != nil {
			return p, false, internal(err)
		}
		return p, false, nil
	case isNotFound(err):
		return p, true, nil
	case isInvalidRequest(err) && v.isScheduled(ctx, d.Account, d.ID):
		return p, false, nil
	}
	return p, false, callError("GetSecretValue", err)
}

// forEach calls do for 0 to n-1, up to 8 at a time, and returns the first error.
func forEach(ctx context.Context, n int, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentCalls)
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return unavailable(err)
			}
			return do(ctx, i)
		})
	}
	return group.Wait()
}
