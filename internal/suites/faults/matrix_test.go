package faults_test

import "fmt"

// cell is one try: an operation, with one fault.
type cell struct {
	operation operation
	fault     fault
	// afterRetry has what is late land after the retry, and not before it.
	afterRetry bool
	// twice makes the request twice while the fault lasts.
	twice bool
	// plain has the target reached without TLS.
	plain bool
}

func (c cell) String() string {
	text := fmt.Sprintf("%s: %s %s of %s", c.operation.name, c.fault.kind, c.fault.reach, c.fault.operation)
	if c.fault.nth > 0 {
		text += fmt.Sprintf(" %d", c.fault.nth)
	}
	if c.afterRetry {
		text += " after the retry"
	}
	return text
}

// step is one request of an operation to a store.
type step struct {
	operation string
	nth       int
	writes    bool
}

// steps are the requests of an operation, in their order. A cell whose request
// does not come fails: so that this list can't go stale.
func steps(operation string) []step {
	switch operation {
	case "create":
		return []step{{"PutItem", 1, true}, {"GetItem", 1, false}, {"CreateSecret", 1, true}, {"TransactWriteItems", 1, true}}
	case "update":
		return []step{
			{"GetItem", 1, false},
			{"GetSecretValue", 1, false},
			{"GetItem", 2, false},
			{"PutSecretValue", 1, true},
			{"TransactWriteItems", 1, true},
			{"DescribeSecret", 1, false},
			{"UpdateSecretVersionStage", 1, true},
			{"UpdateSecretVersionStage", 2, true},
			{"GetItem", 3, false},
		}
	case "delete":
		return []step{{"GetItem", 1, false}, {"TransactWriteItems", 1, true}, {"DeleteSecret", 1, true}}
	case "provision":
		return []step{
			{"PutItem", 1, true},
			{"GetItem", 1, false},
			{"DescribeSecret", 1, false},
			{"GetSecretValue", 1, false},
			{"CreateSecret", 1, true},
			{"TransactWriteItems", 1, true},
			{"PutEvents", 1, true},
		}
	}
	return nil
}

// flights are how often the probe says something to a healthy target after it
// has heard it: the request for TLS, TLS, the start, SCRAM, its end with the
// statement, and the farewell.
const flights = 6

// refusals are what a target may say that passes by itself, by the flight that
// it is said to where there is no TLS.
func refusals() []fault {
	return []fault{
		{onTarget, 1, startsUp, once},
		{onTarget, 1, isFull, once},
		{onTarget, 3, isFull, once},
		{onTarget, 3, startsUp, once},
		{onTarget, 3, shutsDown, once},
	}
}

// cells are all that is tried.
func cells() []cell {
	var all []cell
	for _, o := range operations() {
		for _, s := range steps(o.name) {
			for _, f := range s.faults() {
				all = append(all, cell{operation: o, fault: f})
				if f.kind == landsLate {
					all = append(all, cell{operation: o, fault: f, afterRetry: true})
				}
			}
		}
		all = append(all, cell{operation: o, fault: fault{kind: notFoundYet, reach: timed, operation: "every read"}, twice: o.name == "create" || o.byEvent})
		if o.name != "delete" {
			all = append(all, targetCells(o)...)
		}
	}
	return all
}

// targetCells are those on the way to the target.
func targetCells(o operation) []cell {
	var all []cell
	for n := range flights {
		for _, k := range []kind{hangs, cutsBefore, cutsAfter, hangsAfter, holdsBefore, holdsAfter} {
			all = append(all, cell{operation: o, fault: fault{onTarget, n + 1, k, once}})
		}
	}
	for _, f := range refusals() {
		all = append(all, cell{operation: o, fault: f, plain: true})
	}
	return all
}

// faults are those that a step can meet.
func (s step) faults() []fault {
	var all []fault
	add := func(r reach, kinds ...kind) {
		for _, k := range kinds {
			all = append(all, fault{s.operation, s.nth, k, r})
		}
	}
	add(once, answers500, throttles, hangs, cutsBefore, cutsAfter, hangsAfter, holdsBefore, holdsAfter)
	add(onward, answers500, throttles, hangs, cutsBefore, cutsAfter, hangsAfter)
	add(outage, answers500, throttles, hangs, cutsBefore)
	if s.writes {
		add(once, landsLate)
		add(onward, landsLate)
	}
	return all
}
