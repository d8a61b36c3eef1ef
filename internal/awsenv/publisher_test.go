package awsenv_test

import (
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/awsenv/publisher"
)

func TestPublisher_Variables(t *testing.T) {
	t.Parallel()
	vars := good()
	vars["EVENT_BUS_NAME"], vars["DEAD_LETTER_QUEUE_URL"] = "headgate", "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
	open := func(vars map[string]string) error {
		_, err := publisher.Open(env(vars), slog.New(slog.DiscardHandler))
		return err
	}
	if err := open(vars); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, value string }{
		{"TABLE_NAME", ""},
		{"EVENT_BUS_NAME", ""},
		{"EVENT_BUS_NAME", "a bus"},
		{"DEAD_LETTER_QUEUE_URL", ""},
		{"DEAD_LETTER_QUEUE_URL", "queue"},
		{"DEAD_LETTER_QUEUE_URL", "arn:aws:sqs:eu-west-1:1:q"},
	} {
		bad := maps.Clone(vars)
		bad[tt.name] = tt.value
		if err := open(bad); err == nil || !strings.Contains(err.Error(), tt.name) {
			t.Errorf("%s=%s: error %v", tt.name, tt.value, err)
		}
	}
}
