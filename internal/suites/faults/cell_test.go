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
	// requestTimeout limits a request with a fault; maxDelay is how much longer it
	// may take on a busy machine.
	requestTimeout = 6 * time.Second
	maxDelay       = 5 * time.Second
	// eventTimeout limits a delivery that may wait for another one's claim.
	eventTimeout = 4 * time.Second
	cellTimeout  = 2 * time.Minute
	// maxTries is how often a cell runs whose fault is not met, because the machine
	// was so busy that the request's time ended before.
	maxTries = 4
)

var errNotMet = errors.New("the fault was not met")

// outcome is the result of a cell.
type outcome struct {
	cell cell
	// succeeded is true if the request succeeded despite the fault.
	succeeded bool
	// behind is true if AWSCURRENT is not the version that the catalog names, unused
	// if a version remains that nothing names. Both are harmless.
	behind, unused bool
	err            error
	log            string
}

// run runs a cell until its fault is met.
func (c cell) run(ctx context.Context, payload map[string]any) outcome {
	var out outcome
	for range maxTries {
		if out = c.runOnce(ctx, payload); !errors.Is(out.err, errNotMet) {
			break
		}
	}
	return out
}

func (c cell) runOnce(ctx context.Context, payload map[string]any) outcome {
	ctx, cancel := context.WithTimeout(ctx, cellTimeout)
	defer cancel()
	out := outcome{cell: c}
	s, err := newStack(ctx, c.fault.onTarget())
	if err != nil {
		out.err = err
		return out
	}
	out.err = errors.Join(c.runOn(ctx, s, payload, &out), s.close())
	out.log = s.log.String()
	return out
}

func (c cell) runOn(ctx context.Context, s *stack, payload map[string]any, out *outcome) error {
	r, err := c.prepare(ctx, s, payload)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	failure, err := c.first(ctx, s, r)
	if err != nil {
		return err
	}
	out.succeeded = failure == nil
	if s.faultPoint().disarm() == 0 {
		return fmt.Errorf("%w (first response: %w)", errNotMet, orSuccess(failure))
	}
	if err := c.recover(ctx, s, r); err != nil {
		return fmt.Errorf("%w (first response: %w)", err, orSuccess(failure))
	}
	if err := c.operation.checkStores(ctx, s); err != nil {
		return fmt.Errorf("%w (first response: %w)", err, orSuccess(failure))
	}
	if err := c.inspectVersions(ctx, s, out); err != nil {
		return err
	}
	if err := c.operation.checkEvents(ctx, s); err != nil {
		return err
	}
	if err := c.operation.checkNames(ctx, s); err != nil {
		return err
	}
	return c.operation.checkCustomerSecret(ctx, s)
}

func orSuccess(err error) error {
	if err == nil {
		return errors.New("success")
	}
	return err
}

// prepare brings the stores into the state before the operation.
func (c cell) prepare(ctx context.Context, s *stack, payload map[string]any) (request, error) {
	r := request{payload: maps.Clone(payload)}
	if s.target != nil {
		r.payload["port"], r.payload["ssl"] = s.target.port(), !c.plain
	}
	s.plain = r.payload
	if c.operation.byEvent {
		var err error
		if r.payload, err = s.share(ctx, s.theirs(), r.payload); err != nil {
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

// first makes the request that meets the fault and returns its failure. err is a
// violation: a response that is late or reports a defect.
func (c cell) first(ctx context.Context, s *stack, r request) (failure, err error) {
	if c.fault.kind == holdsBefore || c.fault.kind == holdsAfter {
		return errKilled, c.kill(ctx, s, r)
	}
	s.faultPoint().arm(c.fault)
	began := time.Now()
	work, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	failure = c.operation.do(work, s.faulty, r)
	if c.twice && failure == nil {
		failure = c.operation.do(work, s.faulty, r)
	}
	if took := time.Since(began); took > requestTimeout+maxDelay {
		return failure, fmt.Errorf("the response came after %s", took)
	}
	if failure != nil && apierror.KindOf(failure) == apierror.Internal {
		return failure, fmt.Errorf("the fault is reported as a defect: %w", failure)
	}
	return failure, nil
}

// recover retries the request and sweeps. After each step a reader must see a
// complete state.
func (c cell) recover(ctx context.Context, s *stack, r request) error {
	if err := c.operation.checkReads(ctx, s); err != nil {
		return fmt.Errorf("after the fault: %w", err)
	}
	if !c.afterRetry {
		s.proxy.releaseLate()
		if err := c.operation.checkReads(ctx, s); err != nil {
			return fmt.Errorf("after the late request: %w", err)
		}
	}
	if err := c.operation.retry(ctx, s, r); err != nil {
		return err
	}
	s.proxy.releaseLate()
	if err := c.operation.checkReads(ctx, s); err != nil {
		return fmt.Errorf("after the retry: %w", err)
	}
	if _, err := s.sweep(ctx); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

// inspectVersions notes what remains of other versions. The version that the
// catalog names must have a staging label, because Secrets Manager may delete a
// version without one.
func (c cell) inspectVersions(ctx context.Context, s *stack, out *outcome) error {
	if c.operation.to.name == "" {
		return nil
	}
	d, err := s.direct.Get(ctx, account, c.operation.to.name)
	if err != nil || d.SecretVersion == "" {
		return err
	}
	secret, err := s.Secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{
		SecretId: aws.String(s.Prefix + "/" + account + "/" + d.ID),
	})
	if err != nil {
		return err
	}
	if len(secret.VersionIdsToStages[d.SecretVersion]) == 0 {
		return fmt.Errorf("%w eventually: its version has no staging label", errLost)
	}
	for version, labels := range secret.VersionIdsToStages {
		named := version == d.SecretVersion
		out.behind = out.behind || slices.Contains(labels, "AWSCURRENT") && !named
		out.unused = out.unused || !named && slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, "headgate-") })
	}
	return nil
}
