package faults_test

import "fmt"

// cell is one operation with one fault.
type cell struct {
	operation operation
	fault     fault
	// afterRetry makes a late request take effect after the retry and not before.
	afterRetry bool
	// twice makes the request twice before the fault is removed.
	twice bool
	// plain connects to the target without TLS.
	plain bool
}

func (c cell) String() string {
	text := fmt.Sprintf("%s: %s %s of %s", c.operation.name, c.fault.kind, c.fault.reach, c.fault.operation)
	if c.fault.nth > 0 {
		text += fmt.Sprintf(" %d", c.fault.nth)
	}
	if c.afterRetry {
		text += ", after the retry"
	}
	return text
}

// step is one request of an operation to AWS.
type step struct {
	operation string
	nth       int
	writes    bool
}

// steps returns the requests of an operation in their order. A cell whose request
// is never made fails, so the list can't become outdated.
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
			{"TransactWriteItems", 1, true},
		}
	}
	return nil
}

// flights is how many flights the probe sends to a healthy target: the TLS
// request, the TLS handshake, the startup message, SCRAM's first message, its last
// with the pipelined statement, and Terminate.
const flights = 6

// temporaryErrors returns errors that a target without TLS sends and that pass by
// themselves.
func temporaryErrors() []fault {
	return []fault{
		{flight, 1, startsUp, once},
		{flight, 1, isFull, once},
		{flight, 3, isFull, once},
		{flight, 3, startsUp, once},
		{flight, 3, shutsDown, once},
	}
}

// cells returns the whole matrix.
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
		if !o.byEvent { // it has no secret of ours
			all = append(all, cell{operation: o, fault: fault{kind: notFoundYet, reach: timed, operation: "every read"}, twice: o.name == "create"})
		}
		if o.name != "delete" {
			all = append(all, targetCells(o)...)
		}
	}
	return all
}

// targetCells returns the cells with a fault in the connection to the target.
func targetCells(o operation) []cell {
	var all []cell
	for n := range flights {
		for _, k := range []kind{hangsBefore, cutsBefore, cutsAfter, hangsAfter, holdsBefore, holdsAfter} {
			all = append(all, cell{operation: o, fault: fault{flight, n + 1, k, once}})
		}
	}
	for _, f := range temporaryErrors() {
		all = append(all, cell{operation: o, fault: f, plain: true})
	}
	return all
}

// faults returns the faults that a step can meet.
func (s step) faults() []fault {
	var all []fault
	add := func(r reach, kinds ...kind) {
		for _, k := range kinds {
			all = append(all, fault{s.operation, s.nth, k, r})
		}
	}
	add(once, answers500, throttles, hangsBefore, cutsBefore, cutsAfter, hangsAfter, holdsBefore, holdsAfter)
	add(onward, answers500, throttles, hangsBefore, cutsBefore, cutsAfter, hangsAfter)
	add(outage, answers500, throttles, hangsBefore, cutsBefore)
	if s.writes {
		add(once, landsLate)
		add(onward, landsLate)
	}
	return all
}
