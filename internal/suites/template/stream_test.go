package template_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkStreams checks that each stream that is read has both images of an item, and
// that nothing that it holds is lost: failures are reported one by one and retried for
// half of the 24 hours that a stream keeps a record, and then the queue gets them.
func checkStreams(t template, _ map[string]program) []string {
	want := map[string]string{
		"StartingPosition": "TRIM_HORIZON", "FunctionResponseTypes": `["ReportBatchItemFailures"]`,
		"BisectBatchOnFunctionError": "true", "MaximumRecordAgeInSeconds": "43200", "MaximumRetryAttempts": "-1",
	}
	var found []string
	for _, f := range t.functions() {
		for _, stream := range f.events("DynamoDB") {
			for _, name := range slices.Sorted(maps.Keys(want)) {
				if got := textAt(stream, name); got != want[name] {
					found = append(found, fmt.Sprintf("the stream of %s has %s %q, want %s", f.name, name, got, want[name]))
				}
			}
			table := named(textAt(stream, "Stream"))
			if textAt(t.properties(table), "StreamSpecification", "StreamViewType") != "NEW_AND_OLD_IMAGES" {
				found = append(found, fmt.Sprintf("the stream of %s has not both images", table))
			}
			if !t.isA(textAt(stream, "DestinationConfig", "OnFailure", "Destination"), "AWS::SQS::Queue") {
				found = append(found, "records that "+f.name+" can't publish get lost")
			}
			found = append(found, checkFilter(f, textAt(stream, "FilterCriteria", "Filters"))...)
			if !t.alarmed(f, "IteratorAge") {
				found = append(found, f.name+" has no alarm on IteratorAge")
			}
		}
	}
	return found
}

// checkFilter checks that the one pattern lets databases and their health through, and
// no other item.
func checkFilter(f function, filters string) []string {
	const pattern = `{"dynamodb":{"Keys":{"PK":{"S":[{"prefix":"account#"}]},"SK":{"S":[{"prefix":"database#"},{"prefix":"health#"}]}}}}`
	if want := `[{"Pattern":"` + strings.ReplaceAll(pattern, `"`, `\"`) + `"}]`; filters != want {
		return []string{fmt.Sprintf("%s filters by %s, want %s", f.name, filters, want)}
	}
	return nil
}

// alarmed reports whether an alarm is on a metric of the function.
func (t template) alarmed(f function, metric string) bool {
	for _, alarm := range t.ofType("AWS::CloudWatch::Alarm") {
		if dimensions(alarm)["FunctionName"] == "${"+f.id+"Function}" && textAt(alarm, "MetricName") == metric {
			return true
		}
	}
	return false
}

func streamMutations() map[string]mutation {
	stream := func(t template) object { return t.event("PublishChangesFunction", "Changes") }
	return map[string]mutation{
		"the stream lacks the old image": {func(t template) {
			t.properties("Table")["StreamSpecification"] = object{"StreamViewType": "NEW_IMAGE"}
		}, []string{"the stream of Table has not both images"}},
		"changes are given up after some attempts": {func(t template) {
			stream(t)["MaximumRetryAttempts"] = "5"
		}, []string{`the stream of publish-changes has MaximumRetryAttempts "5", want -1`}},
		"a failure repeats the whole batch": {func(t template) {
			delete(stream(t), "FunctionResponseTypes")
		}, []string{`the stream of publish-changes has FunctionResponseTypes "", want ["ReportBatchItemFailures"]`}},
		"the first changes are skipped": {func(t template) {
			stream(t)["StartingPosition"] = "LATEST"
		}, []string{`the stream of publish-changes has StartingPosition "LATEST", want TRIM_HORIZON`}},
		"the filter lacks health": {func(t template) {
			stream(t)["FilterCriteria"] = object{"Filters": []any{object{"Pattern": "{}"}}}
		}, []string{`publish-changes filters by [{"Pattern":"{}"}], want ` +
			`[{"Pattern":"{\"dynamodb\":{\"Keys\":{\"PK\":{\"S\":[{\"prefix\":\"account#\"}]},\"SK\":{\"S\":[{\"prefix\":\"database#\"},{\"prefix\":\"health#\"}]}}}}"}]`}},
		"changes that can't be published get lost": {func(t template) {
			delete(stream(t), "DestinationConfig")
		}, []string{"publish-changes's role lacks sqs:SendMessage on ", "nothing sends to the queue PublishChangesFailures", "records that publish-changes can't publish get lost"}},
		"nobody hears of changes that wait": {func(t template) {
			t.remove("PublishChangesLate")
		}, []string{"publish-changes has no alarm on IteratorAge"}},
		"the stream can't be read": {func(t template) {
			s := t.statement("PublishChangesRole", "Stream")
			s["Action"] = without(s["Action"], "dynamodb:GetRecords")
		}, []string{"publish-changes's role lacks dynamodb:GetRecords on ${Table.StreamArn}"}},
		"publish-changes may write databases": {func(t template) {
			s := t.statement("PublishChangesRole", "Catalog")
			s["Action"] = []any{s["Action"], "dynamodb:PutItem"}
		}, []string{`publish-changes's role does not need dynamodb:PutItem on ${Table.Arn} if {"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"account#*"}}`}},
		"publish-changes may not send dead letters": {func(t template) {
			s := t.statement("PublishChangesRole", "Fail")
			s["Resource"] = "${SweepSecretsFailures.Arn}"
		}, []string{
			"publish-changes's role lacks sqs:SendMessage on ${PublishChangesFailures.Arn}",
			"publish-changes's role does not need sqs:SendMessage on ${SweepSecretsFailures.Arn}",
		}},
		"publish-changes does not know its queue": {func(t template) {
			delete(t.environment("PublishChangesFunction"), "DEAD_LETTER_QUEUE_URL")
		}, []string{
			"publish-changes's role lacks sqs:SendMessage on ${.Arn}",
			"publish-changes reads DEAD_LETTER_QUEUE_URL, which is not set",
		}},
	}
}
