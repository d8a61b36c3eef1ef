package vault

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/awsretry"
	"github.com/headgate/headgate/internal/database"
)

const (
	// batchSize is the most secrets that BatchGetSecretValue takes.
	batchSize = 20
	// width is how many calls go side by side: few enough to leave most of an
	// account's rate of calls to its other users.
	width = 8
	// batchPatience is how long secrets that are not found are asked for again,
	// all of them together.
	batchPatience = 2 * time.Second
	batchPause    = 200 * time.Millisecond
)

// ReadAll is the passwords of each of ds, in their order; none for one whose
// secret is gone or scheduled for deletion. The error's kind is Throttled,
// Unavailable or Internal.
//
// A batch gives current versions. What is not in it, or at another version than
// the catalog's, is read by itself.
func (v *Vault) ReadAll(ctx context.Context, ds []database.Database) ([]database.Passwords, error) {
	all := make([]database.Passwords, len(ds))
	left := make([][]int, (len(ds)+batchSize-1)/batchSize)
	err := each(ctx, len(left), func(ctx context.Context, n int) (err error) {
		from, to := n*batchSize, min((n+1)*batchSize, len(ds))
		left[n], err = v.readBatch(ctx, ds, all, from, to)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := v.readLeft(ctx, ds, all, flatten(left)); err != nil {
		return nil, err
	}
	return all, nil
}

func flatten(left [][]int) []int {
	var all []int
	for _, l := range left {
		all = append(all, l...)
	}
	return all
}

// readBatch reads what belongs to ds from from to to into all, and gives the
// places of those that it did not get.
func (v *Vault) readBatch(ctx context.Context, ds []database.Database, all []database.Passwords, from, to int) (left []int, err error) {
	found, err := v.batch(ctx, ds[from:to])
	if err != nil {
		return nil, err
	}
	for i := from; i < to; i++ {
		secret, ok := found[*v.name(ds[i].Account, ds[i].ID)]
		if !ok || secret.version != ds[i].SecretVersion {
			left = append(left, i)
			continue
		}
		if all[i], err = decode(secret.text); err != nil {
			return nil, internal(err)
		}
	}
	return left, nil
}

// value is a version of a secret.
type value struct{ version, text string }

// batch is the current versions of the secrets of ds, by their names. One that
// could not be had is missing, whatever the reason: reading it by itself tells.
func (v *Vault) batch(ctx context.Context, ds []database.Database) (map[string]value, error) {
	in := &secretsmanager.BatchGetSecretValueInput{}
	for _, d := range ds {
		in.SecretIdList = append(in.SecretIdList, *v.name(d.Account, d.ID))
	}
	found := make(map[string]value, len(ds))
	policy := awsretry.Policy{Timeout: budget, AttemptTimeout: attemptTime, RetryAmbiguous: true, RetryThrottled: true, Classify: readAnswer}
	err := awsretry.Do(ctx, policy, func(ctx context.Context) error {
		out, err := v.client.BatchGetSecretValue(ctx, in, once)
		if err != nil {
			return err
		}
		for _, s := range out.SecretValues {
			found[aws.ToString(s.Name)] = value{version: aws.ToString(s.VersionId), text: aws.ToString(s.SecretString)}
		}
		return nil
	})
	if err != nil && !isNotFound(err) && !isInvalidRequest(err) {
		return nil, fail("BatchGetSecretValue", err)
	}
	return found, nil
}

// readLeft reads the secrets at those places, each by its version, into all.
// While some are not found, and there is patience, they are asked for again.
func (v *Vault) readLeft(ctx context.Context, ds []database.Database, all []database.Passwords, places []int) error {
	patience := time.NewTimer(batchPatience)
	defer patience.Stop()
	for {
		missing := make([]bool, len(places))
		err := each(ctx, len(places), func(ctx context.Context, n int) (err error) {
			all[places[n]], missing[n], err = v.readOne(ctx, ds[places[n]])
			return err
		})
		if err != nil {
			return err
		}
		if places = pick(places, missing); len(places) == 0 {
			return nil
		}
		select {
		case <-patience.C:
			return nil
		case <-ctx.Done():
			return ended(ctx)
		case <-time.After(batchPause):
		}
	}
}

// pick is the places for which that is so.
func pick(places []int, so []bool) []int {
	var picked []int
	for n, place := range places {
		if so[n] {
			picked = append(picked, place)
		}
	}
	return picked
}

// readOne is the passwords of d's version; missing where it was not found, which
// may be because it is too new. One that is scheduled for deletion has none.
func (v *Vault) readOne(ctx context.Context, d database.Database) (p database.Passwords, missing bool, err error) {
	if d.SecretVersion == "" {
		return p, false, internal(errNoVersionNamed)
	}
	text, err := v.value(ctx, d.Account, d.ID, d.SecretVersion)
	switch {
	case err == nil:
		if p, err = decode(text); err != nil {
			return p, false, internal(err)
		}
		return p, false, nil
	case isNotFound(err):
		return p, true, nil
	case isInvalidRequest(err) && v.isScheduled(ctx, d.Account, d.ID):
		return p, false, nil
	}
	return p, false, fail("GetSecretValue", err)
}

// each calls do for 0 to n-1, some side by side, until one has an error, and
// gives the first.
func each(ctx context.Context, n int, do func(context.Context, int) error) error {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		next  atomic.Int64
		first error
		once  sync.Once
		done  sync.WaitGroup
	)
	for range min(n, width) {
		done.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && work.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(work, i); err != nil {
					once.Do(func() { first = err })
					cancel()
				}
			}
		})
	}
	done.Wait()
	if first == nil && ctx.Err() != nil {
		return ended(ctx)
	}
	return first
}

// ended is the error of work that its context has ended.
func ended(ctx context.Context) error {
	return apierror.New(apierror.Unavailable, "a store is not available for now", ctx.Err())
}
