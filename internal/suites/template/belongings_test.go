package template_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// checkFunctions says whether each function has a directory and a deployment that
// minds its alarms, and each directory a function.
func checkFunctions(t template, programs map[string]program) []string {
	var found []string
	deployed := map[string]bool{}
	for _, f := range t.functions() {
		deployed[f.name] = true
		if _, err := os.Stat(filepath.Join(root, "functions", f.name, "main.go")); err != nil {
			found = append(found, fmt.Sprintf("%s is not in functions/: %v", f.name, err))
		}
		if textAt(f.properties, "AutoPublishAlias") == "" || textAt(f.properties, "AutoPublishAliasAllProperties") != "true" {
			found = append(found, f.name+" has no alias that each change moves")
		}
		deployer := t.properties(named(textAt(f.properties, "DeploymentPreference", "Role")))
		if !strings.Contains(text(deployer["Policies"]), `"${`+f.id+`Function.Arn}*"`) {
			found = append(found, "no deployment may move the alias of "+f.name)
		}
		found = append(found, t.checkAlarmsOf(f)...)
	}
	for name := range programs {
		if !deployed[name] {
			found = append(found, "functions/"+name+" is not deployed")
		}
	}
	return found
}

// authorizer is the function whose errors are no fault: an unknown key is one.
// The alarm on the API's own failures to ask it stands for them.
const authorizer = "authorize-request"

// nearLimit is the share of a function's time from which a run is too long, in
// milliseconds for each second.
const nearLimit = 900

// checkAlarmsOf says whether a function has an alarm on throttles, one on runs
// near its time, and one on errors, by which its deployments are taken back.
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
		found = append(found, fmt.Sprintf("deployments of %s do not mind its errors", f.name))
	}
	for _, alarm := range alarms {
		if !t.isA(alarm, "AWS::CloudWatch::Alarm") {
			found = append(found, fmt.Sprintf("deployments of %s mind %s, which is no alarm", f.name, alarm))
		}
	}
	if duration := metrics["Duration"]; duration != "" {
		seconds, _ := strconv.Atoi(textAt(f.properties, "Timeout")) // else there is a finding
		if want, got := strconv.Itoa(seconds*nearLimit), textAt(t.properties(duration), "Threshold"); got != want {
			found = append(found, fmt.Sprintf("%s is an alarm from %s ms on, and not from 90 %% of %d s", duration, got, seconds))
		}
	}
	return found
}

// dimensions are those of an alarm, by name.
func dimensions(alarm object) map[string]string {
	all := map[string]string{}
	for _, d := range list(alarm["Dimensions"]) {
		all[textAt(d, "Name")] = textAt(d, "Value")
	}
	return all
}

// checkLogs says whether each function and API has a log group of its own, and
// each log group somebody who writes it.
func checkLogs(t template, _ map[string]program) []string {
	var found []string
	writers := map[string]string{}
	claim := func(who, group string) {
		switch group = named(group); {
		case !t.isA(group, "AWS::Logs::LogGroup"):
			found = append(found, who+" writes no log group of the stack's")
		case writers[group] != "":
			found = append(found, fmt.Sprintf("%s writes the log group of %s", who, writers[group]))
		}
		writers[group] = who
	}
	for _, f := range t.functions() {
		group := textAt(f.properties, "LoggingConfig", "LogGroup")
		claim(f.name, group)
		if name := textAt(t.properties(named(group)), "LogGroupName"); name != "/aws/lambda/${AWS::StackName}/"+f.name {
			found = append(found, fmt.Sprintf("%s's log group is called %q", f.name, name))
		}
	}
	for name, api := range t.ofType("AWS::Serverless::Api") {
		claim(name, textAt(api, "AccessLogSetting", "DestinationArn"))
	}
	for name, group := range t.ofType("AWS::Logs::LogGroup") {
		if writers[name] == "" {
			found = append(found, fmt.Sprintf("nobody writes the log group %s", name))
		}
		if group["RetentionInDays"] == nil || group["KmsKeyId"] == nil {
			found = append(found, fmt.Sprintf("the log group %s is kept for ever, or without the key", name))
		}
	}
	return found
}

// checkQueues says whether each queue takes what somebody gives up, from TLS
// alone, and has an alarm.
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
			found = append(found, "nothing comes into the queue "+name)
		}
		if !watched[name] {
			found = append(found, "no alarm watches the queue "+name)
		}
		if !strings.Contains(policies[name], withoutTLS) {
			found = append(found, fmt.Sprintf("the queue %s takes messages without TLS", name))
		}
		if textAt(queue, "MessageRetentionPeriod") != "1209600" || textAt(queue, "SqsManagedSseEnabled") != "true" {
			found = append(found, fmt.Sprintf("the queue %s is not encrypted, or does not keep messages for 14 days", name))
		}
	}
	return found
}

// fedQueues are the queues that functions and rules put into what they give up.
func (t template) fedQueues() map[string]bool {
	fed := map[string]bool{}
	for _, f := range t.functions() {
		fed[named(textAt(f.properties, "EventInvokeConfig", "DestinationConfig", "OnFailure", "Destination"))] = true
		for _, kind := range []string{"EventBridgeRule", "Schedule"} {
			for _, e := range f.events(kind) {
				fed[named(textAt(e, "DeadLetterConfig", "Arn"))] = true
			}
		}
	}
	return fed
}

// checkAlarms says whether each alarm is on a metric that there is, and tells
// somebody.
func checkAlarms(t template, _ map[string]program) []string {
	var found []string
	for name, alarm := range t.ofType("AWS::CloudWatch::Alarm") {
		if !t.isMetric(alarm) {
			found = append(found, fmt.Sprintf("%s is an alarm on nothing: %s %s of %s",
				name, textAt(alarm, "Namespace"), textAt(alarm, "MetricName"), textAt(alarm, "Dimensions")))
		}
		if len(list(alarm["AlarmActions"])) == 0 {
			found = append(found, name+" is an alarm that tells nobody")
		}
	}
	return found
}

// checkDashboards says whether each dashboard can be read.
func checkDashboards(t template, _ map[string]program) []string {
	var found []string
	for name, dashboard := range t.ofType("AWS::CloudWatch::Dashboard") {
		if !json.Valid([]byte(textAt(dashboard, "DashboardBody"))) {
			found = append(found, name+" is not JSON")
		}
	}
	return found
}

// isMetric says whether there is what an alarm is on.
func (t template) isMetric(alarm object) bool {
	of := dimensions(alarm)
	switch namespace := textAt(alarm, "Namespace"); namespace {
	case "AWS/Lambda":
		return t.isA(of["FunctionName"], "AWS::Serverless::Function")
	case "AWS/SQS":
		return t.isA(of["QueueName"], "AWS::SQS::Queue")
	case "AWS/ApiGateway":
		for _, api := range t.ofType("AWS::Serverless::Api") {
			if textAt(api, "Name") == of["ApiName"] && textAt(api, "StageName") == of["Stage"] {
				return true
			}
		}
	case "AWS/Events":
		for _, f := range t.functions() {
			for _, e := range f.events("EventBridgeRule") {
				if textAt(e, "RuleName") == of["RuleName"] && textAt(e, "EventBusName") == of["EventBusName"] {
					return true
				}
			}
		}
	default:
		for _, filter := range t.ofType("AWS::Logs::MetricFilter") {
			if filtered(filter)[namespace+" "+textAt(alarm, "MetricName")] {
				return true
			}
		}
	}
	return false
}

// filtered are the metrics that a metric filter makes, after their namespace.
func filtered(filter object) map[string]bool {
	metrics := map[string]bool{}
	for _, transformation := range list(filter["MetricTransformations"]) {
		metrics[textAt(transformation, "MetricNamespace")+" "+textAt(transformation, "MetricName")] = true
	}
	return metrics
}

var logField = regexp.MustCompile(`\$\.(\w+)`)

// checkMetricFilters says whether each metric filter reads a log group, for fields
// that are written there, and has an alarm.
func checkMetricFilters(t template, programs map[string]program) []string {
	var found []string
	for name, filter := range t.ofType("AWS::Logs::MetricFilter") {
		written := t.fields(named(textAt(filter, "LogGroupName")), programs)
		for _, field := range logField.FindAllStringSubmatch(textAt(filter, "FilterPattern")+textAt(filter, "MetricTransformations"), -1) {
			if !written[field[1]] {
				found = append(found, fmt.Sprintf("%s looks for %s in a log group that does not have it", name, field[1]))
			}
		}
		metrics := filtered(filter)
		for _, alarm := range t.ofType("AWS::CloudWatch::Alarm") {
			delete(metrics, textAt(alarm, "Namespace")+" "+textAt(alarm, "MetricName"))
		}
		for metric := range metrics {
			found = append(found, fmt.Sprintf("no alarm is on %s, which %s makes", metric, name))
		}
	}
	return found
}

// fields are what the lines of a log group can have: those of the access log's
// format, or what the function's code can spell.
func (t template) fields(group string, programs map[string]program) map[string]bool {
	written := map[string]bool{}
	for _, api := range t.ofType("AWS::Serverless::Api") {
		if named(textAt(api, "AccessLogSetting", "DestinationArn")) != group {
			continue
		}
		var line map[string]string
		if json.Unmarshal([]byte(textAt(api, "AccessLogSetting", "Format")), &line) == nil { // else no field is found
			for name := range line {
				written[name] = true
			}
		}
	}
	for _, f := range t.functions() {
		if named(textAt(f.properties, "LoggingConfig", "LogGroup")) == group {
			for s := range programs[f.name].strings() {
				written[s] = true
			}
		}
	}
	return written
}
