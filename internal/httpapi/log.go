package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/requestlog"
)

// logEntry is the one line that a request leaves in the log. It never has a
// body, a URL or a password.
type logEntry struct {
	route   Route
	account string
	began   time.Time
	err     error
}

func (l *logEntry) write(ctx context.Context, h *Handler, r Response) {
	route, operation := "none", "none"
	if l.route.Path != "" {
		route, operation = l.route.Method+" "+l.route.Path, string(l.route.Operation)
	}
	code, checks := findings(r.Body)
	duration := time.Since(l.began).Milliseconds()
	attrs := []slog.Attr{
		slog.String("route", route), slog.String("operation", operation), slog.String("account", l.account),
		slog.Int("status", r.Status), slog.Int64("duration_ms", duration), slog.Int64("retries", requestlog.Retries(ctx)),
	}
	if code != "" {
		attrs = append(attrs, slog.String("code", string(code)))
	}
	if len(checks) > 0 {
		attrs = append(attrs, slog.Any("checks", checks))
	}
	if len(r.Revealed) > 0 {
		attrs = append(attrs, slog.Any("passwords_shown", r.Revealed))
	}
	level := slog.LevelInfo
	if r.Status >= http.StatusInternalServerError {
		level = slog.LevelError
		if l.err != nil {
			attrs = append(attrs, slog.String("error", l.err.Error()))
		}
	}
	if h.Metrics {
		attrs = append(attrs, metrics(l.route.Operation, r.Status, code)...)
	}
	h.Log.LogAttrs(ctx, level, "request", attrs...)
}

// findings are the code of a refusal, and the codes that a report has.
func findings(body any) (check.Code, []check.Code) {
	switch b := body.(type) {
	case apierror.Refusal:
		return b.Code, codes(b.Checks)
	case summaryBody:
		return b.Code, nil
	case failedBody:
		failure, _ := b.Checks.FirstFailure()
		return failure.Code, codes(b.Checks)
	case checkedBody:
		return "", codes(b.Checks)
	case database.Object:
		var cs []check.Code
		for _, w := range b.Warnings {
			cs = append(cs, w.Code)
		}
		return "", cs
	}
	return "", nil
}

func codes(r check.Report) []check.Code {
	var cs []check.Code
	for _, c := range r {
		if c.Code != "" {
			cs = append(cs, c.Code)
		}
	}
	return cs
}

// namespace is that of the metrics in CloudWatch.
const namespace = "headgate"

type (
	metric struct {
		Name string
		Unit string `json:",omitempty"`
	}
	directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	embedded struct {
		Timestamp         int64
		CloudWatchMetrics []directive
	}
)

// metrics make a line of the log carry metrics, in CloudWatch's embedded format:
// the duration by operation, databases created, and requests refused by code.
func metrics(o Operation, status int, code check.Code) []slog.Attr {
	m := embedded{Timestamp: time.Now().UnixMilli(), CloudWatchMetrics: []directive{
		{namespace, [][]string{{"operation"}}, []metric{{"duration_ms", "Milliseconds"}}},
	}}
	var values []slog.Attr
	if o == CreateDatabase && status == http.StatusCreated {
		m.CloudWatchMetrics = append(m.CloudWatchMetrics, directive{namespace, [][]string{{}}, []metric{{"created", "Count"}}})
		values = append(values, slog.Int("created", 1))
	}
	if code != "" {
		m.CloudWatchMetrics = append(m.CloudWatchMetrics, directive{namespace, [][]string{{"code"}}, []metric{{"refused", "Count"}}})
		values = append(values, slog.Int("refused", 1))
	}
	return append(values, slog.Any("_aws", m))
}
