package template_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/headgate/headgate/internal/customresource"
)

// checkFunctions checks that each function has a directory, and a deployment that
// watches its alarms, and that each directory is deployed.
func checkFunctions(t template, programs map[string]program) []string {
	var found []string
	names := map[string]bool{}
	for _, f := range t.functions() {
		names[f.name] = true
		if _, err := os.Stat(filepath.Join(root, "functions", f.name, "main.go")); err != nil {
			found = append(found, fmt.Sprintf("%s is not in functions/: %v", f.name, err))
		}
		if textAt(f.properties, "AutoPublishAlias") == "" || textAt(f.properties, "AutoPublishAliasAllProperties") != "true" {
			found = append(found, f.name+" has no alias that every change moves")
		}
		deployer := t.properties(named(textAt(f.properties, "DeploymentPreference", "Role")))
		if !strings.Contains(text(deployer["Policies"]), `"${`+f.id+`Function.Arn}*"`) {
			found = append(found, "the deployment role may not move the alias of "+f.name)
		}
		if timeout, _ := strconv.Atoi(textAt(f.properties, "Timeout")); f.name == "provision-resource" && timeout < int(customresource.Timeout.Seconds()) {
			found = append(found, fmt.Sprintf("%s runs for up to %d s, and needs %s", f.name, timeout, customresource.Timeout))
		}
		found = append(found, t.checkAlarmsOf(f)...)
	}
	for name := range programs {
		if !names[name] {
			found = append(found, "functions/"+name+" is not deployed")
		}
	}
	return found
}

// authorizer returns an error for every unknown key, so that its errors are no
// failures. An alarm on the gateway's access log takes their place.
const authorizer = "authorize-request"

// durationShare is the share of a function's timeout at which its duration alarm
// rings, in milliseconds for each second.
const durationShare = 900

// checkAlarmsOf checks that a function has alarms on errors, throttles and
// duration, and that the first rolls its deployments back.
func (t template) checkAlarmsOf(f function) []string {
	var found []string
	metrics := map[string]string{}
	for name, alarm := range t.ofType("AWS::CloudWatch::Alarm") {
		if dimensions(alarm)["FunctionName"] == "${"+f.id+"Function}" {
			metrics[textAt(alarm, "MetricName")] = name
		}
	}
	if f.name == authorizer {
		metrics["Errors"] = "AuthorizerFailures"
	}
	for _, metric := range []string{"Errors", "Throttles", "Duration"} {
		if metrics[metric] == "" {
			found = append(found, fmt.Sprintf("%s has no alarm on %s", f.name, metric))
		}
	}
	alarms := texts(at(f.properties, "DeploymentPreference", "Alarms"))
	if !slices.Contains(alarms, "${"+metrics["Errors"]+"}") {
		found = append(found, fmt.Sprintf("deployments of %s do not watch its errors", f.name))
	}
	for _, alarm := range alarms {
		if !t.isA(alarm, "AWS::CloudWatch::Alarm") {
			found = append(found, fmt.Sprintf("deployments of %s watch %s, which is not an alarm", f.name, alarm))
		}
	}
	if duration := metrics["Duration"]; duration != "" {
		seconds, _ := strconv.Atoi(textAt(f.properties, "Timeout")) // 0 matches no threshold
		if want, got := strconv.Itoa(seconds*durationShare), textAt(t.properties(duration), "Threshold"); got != want {
			found = append(found, fmt.Sprintf("%s rings at %s ms, want 90 %% of %d s", duration, got, seconds))
		}
	}
	return found
}

// dimensions returns the dimensions of an alarm by name.
func dimensions(alarm object) map[string]string {
	all := map[string]string{}
	for _, d := range list(alarm["Dimensions"]) {
		all[textAt(d, "Name")] = textAt(d, "Value")
	}
	return all
}

// checkQueues checks that something sends to each queue, over TLS only, and that
// an alarm watches it.
func checkQueues(t template, _ map[string]program) []string {
	var found []string
	fed, watched, policies := t.fedQueues(), map[string]bool{}, map[string]string{}
	for _, alarm := range t.ofType("AWS::CloudWatch::Alarm") {
		watched[named(dimensions(alarm)["QueueName"])] = true
	}
	for _, policy := range t.ofType("AWS::SQS::QueuePolicy") {
		for _, queue := range texts(policy["Queues"]) {
			policies[named(queue)] += textAt(policy, "PolicyDocument", "Statement")
		}
	}
	const withoutTLS = `"Condition":{"Bool":{"aws:SecureTransport":"false"}},"Effect":"Deny","Principal":"*"`
	for name, queue := range t.ofType("AWS::SQS::Queue") {
		if !fed[name] {
			found = append(found, "nothing sends to the queue "+name)
		}
		if !watched[name] {
			found = append(found, "no alarm watches the queue "+name)
		}
		if !strings.Contains(policies[name], withoutTLS) {
			found = append(found, fmt.Sprintf("the queue %s accepts messages without TLS", name))
		}
		// A queue of work has a dead-letter queue, which keeps what fails.
		kept := textAt(queue, "MessageRetentionPeriod") == "1209600" || textAt(queue, "RedrivePolicy", "deadLetterTargetArn") != ""
		if !kept || textAt(queue, "SqsManagedSseEnabled") != "true" {
			found = append(found, fmt.Sprintf("the queue %s is not encrypted, or does not keep messages for 14 days", name))
		}
	}
	return found
}

// fedQueues returns the queues that are failure destinations of functions or of event
// source mappings, dead-letter queues of rules or of other queues, or that a function
// sends to.
func (t template) fedQueues() map[string]bool {
	fed := map[string]bool{}
	for _, f := range t.functions() {
		fed[named(textAt(f.properties, "EventInvokeConfig", "DestinationConfig", "OnFailure", "Destination"))] = true
		for _, stream := range f.events("DynamoDB") {
			fed[named(textAt(stream, "DestinationConfig", "OnFailure", "Destination"))] = true
		}
		fed[named(text(f.variables()["CHECK_QUEUE_URL"]))] = true
		for _, kind := range []string{"EventBridgeRule", "Schedule"} {
			for _, e := range f.events(kind) {
				fed[named(textAt(e, "DeadLetterConfig", "Arn"))] = true
			}
		}
	}
	for _, queue := range t.ofType("AWS::SQS::Queue") {
		fed[named(textAt(queue, "RedrivePolicy", "deadLetterTargetArn"))] = true
	}
	return fed
}

// visibilityFactor is how many times a function's timeout the visibility timeout of its
// queue has to be, by Lambda's guide to SQS.
const visibilityFactor = 6

// checkConsumers checks that a function with a queue reports the messages that failed
// one by one, is not throttled, and has them to itself while it runs.
func checkConsumers(t template, _ map[string]program) []string {
	var found []string
	for _, f := range t.functions() {
		for _, e := range f.events("SQS") {
			queue := t.properties(named(textAt(e, "Queue")))
			if !slices.Equal(texts(e["FunctionResponseTypes"]), []string{"ReportBatchItemFailures"}) {
				found = append(found, f.name+" fails whole batches of messages")
			}
			if textAt(e, "ScalingConfig", "MaximumConcurrency") == "" {
				found = append(found, f.name+" takes all of the account's concurrency")
			}
			timeout, _ := strconv.Atoi(textAt(f.properties, "Timeout")) // 0 matches nothing
			visibility, _ := strconv.Atoi(textAt(queue, "VisibilityTimeout"))
			if timeout == 0 || visibility < visibilityFactor*timeout {
				found = append(found, fmt.Sprintf("%s runs for up to %d s, and its messages are hidden for %d s", f.name, timeout, visibility))
			}
			if !t.isA(textAt(queue, "RedrivePolicy", "deadLetterTargetArn"), "AWS::SQS::Queue") {
				found = append(found, "messages that "+f.name+" fails on have no dead-letter queue")
			}
		}
	}
	return found
}
