package publish_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/publish"
	"github.com/headgate/headgate/internal/testkit/mototest"
)

func TestQueue_Send(t *testing.T) {
	t.Parallel()
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ QueueUrl, MessageBody string }
		text, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(text, &in) != nil || in.QueueUrl != "https://sqs.example.com/1/q" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body = in.MessageBody
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, `{"MessageId":"m"}`)
	}))
	t.Cleanup(server.Close)
	q := publish.OpenQueue(mototest.Config(server.URL), "https://sqs.example.com/1/q")
	record := func(padding int) string {
		return `{"eventID":"e","dynamodb":{"Keys":{"PK":{"S":"p"}},"NewImage":{"x":{"S":"` + strings.Repeat("x", padding) + `"}},"SequenceNumber":"7"}}`
	}
	for _, tt := range []struct{ name, record, want string }{
		{"a record is sent as it came", record(1), `{"error":"why","Records":[` + record(1) + `]}`},
		{"of a large record the keys are sent", record(300 << 10), `{"error":"why","Records":[{"eventID":"e","dynamodb":{"Keys":{"PK":{"S":"p"}},"SequenceNumber":"7"}}]}`},
		{"what is not JSON is sent without", "{", `{"error":"why","Records":[{"eventID":"","dynamodb":{"Keys":null,"SequenceNumber":""}}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := q.Send(t.Context(), []byte(tt.record), errors.New("why")); err != nil || body != tt.want {
				t.Errorf("error %v, message %.300s", err, body)
			}
		})
	}
}
