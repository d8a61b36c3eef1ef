package faults_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/headgate/headgate/internal/apierror"
)

const (
	// requestTime is what a request with a fault has, and lateness by how much it
	// may be over that on a busy machine.
	requestTime = 6 * time.Second
	lateness    = 5 * time.Second
	// retryTime is what a delivery has that finds another one under way.
	retryTime = 4 * time.Second
	// cellTime is what a cell has, for all it does.
	cellTime = 2 * time.Minute
	// tries is how often a cell is tried whose fault was not met, since the machine
	// was so busy that the request's time was up before.
	tries = 4
)

var errNotMet = errors.New("the fault was not met")

// outcome is what came of a cell.
type outcome struct {
	cell cell
	// answered says that the request succeeded in spite of the fault.
	answered bool
	// behind says that AWSCURRENT is not the version that the catalog names, and
	// unused that a version is left that nobody names: both are harmless.
	behind, unused bool
	err            error
	log            string
}

// run tries a cell until its fault was met.
func (c cell) run(ctx context.Context, target map[string]any) outcome {
	var out outcome
	for range tries {
		if out = c.runOnce(ctx, target); !errors.Is(out.err, errNotMet) {
			break
		}
	}
	return out
}

func (c cell) runOnce(ctx context.Context, target map[string]any) outcome {
	ctx, cancel := context.WithTimeout(ctx, cellTime)
	defer cancel()
	out := outcome{cell: c}
	s, err := newStack(ctx, c.fault.flight())
	if err != nil {
		out.err = err
		return out
	}
	out.err = c.try(ctx, s, target, &out)
	out.err = errors.Join(out.err, s.close())
	out.log = s.log.String()
	return out
}

func (c cell) try(ctx context.Context, s *stack, target map[string]any, out *outcome) error {
	r, err := c.prepare(ctx, s, target)
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	first, err := c.first(ctx, s, r)
	if err != nil {
		return err
	}
	out.answered = first == nil
	if s.broken().disarm() == 0 {
		return fmt.Errorf("%w (the answer: %w)", errNotMet, answer(first))
	}
	if err := c.recover(ctx, s, r); err != nil {
		return fmt.Errorf("%w (the first answer: %w)", err, answer(first))
	}
	if err := c.operation.settled(ctx, s); err != nil {
		return fmt.Errorf("%w (the first answer: %w)", err, answer(first))
	}
	if err := c.look(ctx, s, out); err != nil {
		return err
	}
	if err := c.operation.told(ctx, s); err != nil {
		return err
	}
	if err := c.operation.usable(ctx, s); err != nil {
		return err
	}
	return c.operation.leftAlone(ctx, s)
}

func answer(err error) error {
	if err == nil {
		return errors.New("done")
	}
	return err
}

// prepare brings the stores into the state that the operation leads from.
func (c cell) prepare(ctx context.Context, s *stack, target map[string]any) (request, error) {
	r := request{payload: maps.Clone(target)}
	if s.target != nil {
		r.payload["port"], r.payload["ssl"] = s.target.port(), !c.plain
	}
	s.plain = r.payload
	if c.operation.byEvent {
		var err error
		if r.payload, err = s.share(ctx, r.payload); err != nil {
			return r, err
		}
	}
	if c.operation.from.name == "" {
		return r, nil
	}
	if err := createAs(ctx, s.direct.Service, r.payload, ""); err != nil {
		return r, err
	}
	d, err := s.direct.Get(ctx, account, c.operation.from.name)
	r.id = d.ID
	return r, err
}

// first makes the request that meets the fault; its error is the first result.
func (c cell) first(ctx context.Context, s *stack, r request) (refused, err error) {
	if c.fault.kind == holdsBefore || c.fault.kind == holdsAfter {
		return errKilled, c.kill(ctx, s, r)
	}
	s.broken().arm(c.fault)
	began := time.Now()
	work, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	refused = c.operation.do(work, s.faulty, r)
	if c.twice && refused == nil {
		refused = c.operation.do(work, s.faulty, r)
	}
	if took := time.Since(began); took > requestTime+lateness {
		return refused, fmt.Errorf("answered after %s", took)
	}
	if refused != nil && apierror.KindOf(refused) == apierror.Internal {
		return refused, fmt.Errorf("the fault is answered as a defect: %w", refused)
	}
	return refused, nil
}

// recover retries the request and sweeps, and looks at every stage whether half
// a state can be read.
func (c cell) recover(ctx context.Context, s *stack, r request) error {
	if err := c.operation.whole(ctx, s); err != nil {
		return fmt.Errorf("after the fault: %w", err)
	}
	if !c.afterRetry {
		s.proxy.land()
		if err := c.operation.whole(ctx, s); err != nil {
			return fmt.Errorf("after what was late: %w", err)
		}
	}
	if err := c.operation.retry(ctx, s, r); err != nil {
		return err
	}
	s.proxy.land()
	if err := c.operation.whole(ctx, s); err != nil {
		return fmt.Errorf("after the retry: %w", err)
	}
	if _, err := s.sweep(ctx); err != nil {
		return fmt.Errorf("the sweep failed: %w", err)
	}
	return nil
}

// look notes what is left that does no harm. A version without a label is none,
// since Secrets Manager may remove it: so the one that is named must have one.
func (c cell) look(ctx context.Context, s *stack, out *outcome) error {
	if c.operation.to.name == "" {
		return nil
	}
	d, err := s.direct.Get(ctx, account, c.operation.to.name)
	if err != nil {
		return err
	}
	secret, err := s.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{
		SecretId: aws.String(s.prefix + "/" + account + "/" + d.ID),
	})
	if err != nil {
		return err
	}
	if len(secret.VersionIdsToStages[d.SecretVersion]) == 0 {
		return fmt.Errorf("%w before long: its version has no label", errLost)
	}
	for version, labels := range secret.VersionIdsToStages {
		named := version == d.SecretVersion
		out.behind = out.behind || slices.Contains(labels, "AWSCURRENT") && !named
		out.unused = out.unused || !named && slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, "headgate-") })
	}
	return nil
}
