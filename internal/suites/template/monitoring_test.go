package template_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/headgate/headgate/internal/requestlog"
)

// checkLogs checks that each function and API has its own log group, and that
// each log group is written to, expires and is encrypted.
func checkLogs(t template, _ map[string]program) []string {
	var found []string
	writers := map[string]string{}
	claim := func(writer, group string) {
		switch group = named(group); {
		case !t.isA(group, "AWS::Logs::LogGroup"):
			found = append(found, writer+" does not write to a log group of the stack")
		case writers[group] != "":
			found = append(found, fmt.Sprintf("%s writes to the log group of %s", writer, writers[group]))
		}
		writers[group] = writer
	}
	for _, f := range t.functions() {
		group := textAt(f.properties, "LoggingConfig", "LogGroup")
		claim(f.name, group)
		if name := textAt(t.properties(named(group)), "LogGroupName"); name != "/aws/lambda/${AWS::StackName}/"+f.name {
			found = append(found, fmt.Sprintf("the log group of %s is named %q", f.name, name))
		}
	}
	for name, api := range t.ofType("AWS::Serverless::Api") {
		claim(name, textAt(api, "AccessLogSetting", "DestinationArn"))
	}
	for name, group := range t.ofType("AWS::Logs::LogGroup") {
		if writers[name] == "" {
			found = append(found, fmt.Sprintf("nothing writes to the log group %s", name))
		}
		if group["RetentionInDays"] == nil || group["KmsKeyId"] == nil {
			found = append(found, fmt.Sprintf("the log group %s never expires, or is not encrypted with the key", name))
		}
	}
	return found
}

// checkAlarms checks that each alarm is on a metric that exists, and notifies
// somebody.
func checkAlarms(t template, _ map[string]program) []string {
	var found []string
	for name, alarm := range t.ofType("AWS::CloudWatch::Alarm") {
		if !t.isMetric(alarm) {
			found = append(found, fmt.Sprintf("%s is on a metric that does not exist: %s %s of %s",
				name, textAt(alarm, "Namespace"), textAt(alarm, "MetricName"), textAt(alarm, "Dimensions")))
		}
		if len(list(alarm["AlarmActions"])) == 0 {
			found = append(found, name+" notifies nobody")
		}
	}
	return found
}

// isMetric reports whether the metric of an alarm exists.
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

// filtered returns the metrics that a metric filter makes, each as its namespace
// and name.
func filtered(filter object) map[string]bool {
	metrics := map[string]bool{}
	for _, transformation := range list(filter["MetricTransformations"]) {
		metrics[textAt(transformation, "MetricNamespace")+" "+textAt(transformation, "MetricName")] = true
	}
	return metrics
}

var logField = regexp.MustCompile(`\$\.(\w+)`)

// checkMetricFilters checks that each metric filter matches fields that are
// written to its log group, and has an alarm.
func checkMetricFilters(t template, programs map[string]program) []string {
	var found []string
	for name, filter := range t.ofType("AWS::Logs::MetricFilter") {
		written := t.fields(named(textAt(filter, "LogGroupName")), programs)
		for _, field := range logField.FindAllStringSubmatch(textAt(filter, "FilterPattern")+textAt(filter, "MetricTransformations"), -1) {
			if !written[field[1]] {
				found = append(found, fmt.Sprintf("%s matches the field %s, which is not written to its log group", name, field[1]))
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

// fields returns the names that the lines of a log group can have as fields: those
// of the access log's format, or all strings in the function's code.
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

// checkDashboards checks that each dashboard is valid JSON.
func checkDashboards(t template, _ map[string]program) []string {
	var found []string
	for name, dashboard := range t.ofType("AWS::CloudWatch::Dashboard") {
		if !json.Valid([]byte(textAt(dashboard, "DashboardBody"))) {
			found = append(found, name+" is not valid JSON")
		}
	}
	return found
}

// checkNamespaces checks that the functions' metrics, the metric filters, the alarms
// and the dashboards all use the one namespace of the stack.
func checkNamespaces(t template, _ map[string]program) []string {
	const namespace = "headgate/${AWS::StackName}"
	var found []string
	for _, f := range t.functions() {
		group := named(textAt(f.properties, "LoggingConfig", "LogGroup"))
		if got := requestlog.Namespace(textAt(t.properties(group), "LogGroupName")); got != namespace {
			found = append(found, fmt.Sprintf("%s puts its metrics in %q, want %s", f.name, got, namespace))
		}
	}
	for name, filter := range t.ofType("AWS::Logs::MetricFilter") {
		for _, transformation := range list(filter["MetricTransformations"]) {
			if got := textAt(transformation, "MetricNamespace"); got != namespace {
				found = append(found, fmt.Sprintf("%s puts its metric in %q, want %s", name, got, namespace))
			}
		}
	}
	for name, dashboard := range t.ofType("AWS::CloudWatch::Dashboard") {
		for _, other := range dashboardNamespace.FindAllStringSubmatch(textAt(dashboard, "DashboardBody"), -1) {
			if !strings.HasPrefix(other[1], "AWS/") && other[1] != namespace {
				found = append(found, fmt.Sprintf("%s shows metrics of %q, want %s", name, other[1], namespace))
			}
		}
	}
	return found
}

// dashboardNamespace matches the namespace of a metric in a dashboard.
var dashboardNamespace = regexp.MustCompile(`\["([^".]+)","`)
