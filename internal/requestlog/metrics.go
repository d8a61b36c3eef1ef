package requestlog

import (
	"log/slog"
	"strings"
	"time"
)

// Namespace returns the namespace of a stack's metrics in CloudWatch, headgate/ and
// the stack's name, which template.yaml's alarms and dashboard look in. logGroup is
// the function's log group, named /aws/lambda/<stack>/<function> by the template.
// For a function of no stack it is headgate.
func Namespace(logGroup string) string {
	rest, ok := strings.CutPrefix(logGroup, "/aws/lambda/")
	stack, function, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || stack == "" || function == "" || strings.Contains(function, "/") {
		return "headgate"
	}
	return "headgate/" + stack
}

// The JSON of the embedded metric format.
type (
	emf struct {
		Timestamp         int64
		CloudWatchMetrics []directive
	}
	directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	metric struct {
		Name string
		Unit string
	}
)

// metrics returns the attributes that make a line carry metrics: the duration by
// operation, the databases that were created, and the errors by code. The
// dimensions and the duration are members of the line already.
func (e Entry) metrics(namespace string) []slog.Attr {
	m := emf{Timestamp: time.Now().UnixMilli()}
	add := func(dimensions []string, name, unit string) {
		m.CloudWatchMetrics = append(m.CloudWatchMetrics, directive{namespace, [][]string{dimensions}, []metric{{name, unit}}})
	}
	var values []slog.Attr
	add([]string{"operation"}, "duration_ms", "Milliseconds")
	if e.Created {
		add([]string{}, "created", "Count")
		values = append(values, slog.Int("created", 1))
	}
	if e.Code != "" {
		add([]string{"code"}, "refused", "Count")
		values = append(values, slog.Int("refused", 1))
	}
	return append(values, slog.Any("_aws", m))
}

// Metric is a metric and its value.
type Metric struct {
	Name, Unit string
	Value      int64
}

// Metrics returns the attributes that make a line carry metrics. The dimensions are
// members of the line.
func Metrics(namespace string, at time.Time, dimensions []string, metrics ...Metric) []any {
	d := directive{Namespace: namespace, Dimensions: [][]string{dimensions}}
	var attrs []any
	for _, m := range metrics {
		d.Metrics = append(d.Metrics, metric{m.Name, m.Unit})
		attrs = append(attrs, slog.Int64(m.Name, m.Value))
	}
	return append(attrs, slog.Any("_aws", emf{Timestamp: at.UnixMilli(), CloudWatchMetrics: []directive{d}}))
}
