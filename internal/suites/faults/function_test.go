package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/localrun"
)

// errKilled stands for the response of a killed function.
var errKilled = errors.New("killed")

// kill invokes the function and kills it while the cell's request is held.
func (c cell) kill(ctx context.Context, s *stack, r request) error {
	name, event, err := c.operation.event(r)
	if err != nil {
		return err
	}
	f, err := s.start(ctx, name)
	if err != nil {
		return err
	}
	defer f.Stop()
	s.faultPoint().arm(c.fault)
	ended := make(chan error, 1)
	go func() {
		result, err := f.Invoke(ctx, event)
		ended <- errors.Join(err, fmt.Errorf("response: %s", result.Payload))
	}()
	select {
	case <-s.faultPoint().held():
		f.Kill()
	case err := <-ended:
		return fmt.Errorf("the function ended before it was killed: %w", err)
	}
	if err := <-ended; !errors.Is(err, localrun.ErrEnded) {
		return fmt.Errorf("the function was not killed: %w", err)
	}
	return nil
}

// event returns the operation's function and the event for it, as API Gateway or
// EventBridge sends it.
func (o operation) event(r request) (function string, event []byte, err error) {
	body := []byte(nil)
	if payload := o.body(r); payload != nil {
		if body, err = json.Marshal(payload); err != nil {
			return "", nil, err
		}
	}
	if o.byEvent {
		event, err = json.Marshal(events.EventBridgeEvent{ID: eventID, DetailType: "Postgres Database Requested", Detail: body})
		return "provision-database", event, err
	}
	target := gateway.Collection
	header := map[string]string{"Idempotency-Key": idempotencyKey}
	if r.id != "" {
		target, header = target+"/"+r.id, nil
	}
	return httpEvent(gateway.Request{Account: account, Method: o.method, Target: target, Header: header, Body: body})
}

func httpEvent(r gateway.Request) (function string, event []byte, err error) {
	function, e, err := gateway.Event(r)
	if err != nil {
		return "", nil, err
	}
	event, err = json.Marshal(e)
	return function, event, err
}
