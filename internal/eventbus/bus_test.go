package eventbus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/apierror"
	"github.com/headgate/headgate/internal/eventbus"
	"github.com/headgate/headgate/internal/testkit/mototest"
)

// server answers PutEvents with scripted responses, one for each request, and then takes
// everything. It records the details of each request.
type server struct {
	mu       sync.Mutex
	script   []response
	requests [][]string
}

// response is the codes of the entries, empty for those that are taken, or the code of the
// whole request.
type response struct {
	status int
	code   string
	codes  []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	var in struct{ Entries []struct{ Detail string } }
	if err != nil || json.Unmarshal(body, &in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var details []string
	for _, e := range in.Entries {
		details = append(details, e.Detail)
	}
	s.requests = append(s.requests, details)
	next := response{codes: make([]string, len(in.Entries))}
	if len(s.script) > 0 {
		next, s.script = s.script[0], s.script[1:]
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if next.code != "" {
		w.WriteHeader(next.status)
		_, _ = fmt.Fprintf(w, `{"__type":%q}`, next.code)
		return
	}
	var entries []string
	for _, code := range next.codes {
		if code == "" {
			entries = append(entries, `{"EventId":"e"}`)
			continue
		}
		entries = append(entries, fmt.Sprintf(`{"ErrorCode":%q}`, code))
	}
	_, _ = fmt.Fprintf(w, `{"FailedEntryCount":0,"Entries":[%s]}`, strings.Join(entries, ","))
}

func TestPutAll(t *testing.T) {
	t.Parallel()
	refused, away := "refused", "away"
	for _, tt := range []struct {
		name     string
		script   []response
		want     []string // for each event: empty if it is taken
		requests [][]string
	}{
		{"all are taken", nil, []string{"", "", ""}, [][]string{{"1", "2", "3"}}},
		{
			"only what was not taken is put again",
			[]response{{codes: []string{"", "InternalFailure", "ThrottlingException"}}, {codes: []string{"InternalException", ""}}},
			[]string{"", "", ""},
			[][]string{{"1", "2", "3"}, {"2", "3"}, {"2"}},
		},
		{
			"what the bus refuses for good is not put again",
			[]response{{codes: []string{"MalformedDetail", "InternalFailure", ""}}},
			[]string{refused, "", ""},
			[][]string{{"1", "2", "3"}, {"2"}},
		},
		{
			"a throttled request is put again",
			[]response{{status: 400, code: "ThrottlingException"}, {status: 500, code: "InternalException"}},
			[]string{"", "", ""},
			[][]string{{"1", "2", "3"}, {"1", "2", "3"}, {"1", "2", "3"}},
		},
		{
			"a missing permission is not the events' fault",
			[]response{{status: 400, code: "AccessDeniedException"}},
			[]string{away, away, away},
			[][]string{{"1", "2", "3"}},
		},
		{
			"a response that lacks an entry is rejected",
			[]response{{codes: []string{""}}},
			[]string{"", "", ""},
			[][]string{{"1", "2", "3"}, {"1", "2", "3"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &server{script: tt.script}
			server := httptest.NewServer(s)
			t.Cleanup(server.Close)
			var events []eventbus.Event
			for _, detail := range []string{"1", "2", "3"} {
				events = append(events, eventbus.Event{DetailType: "type", Detail: []byte(detail)})
			}
			errs := eventbus.Open(mototest.Config(server.URL), "bus").PutAll(t.Context(), events)
			for i, err := range errs {
				got := ""
				switch {
				case errors.Is(err, eventbus.ErrRefused):
					got = refused
				case err != nil:
					got = away
				}
				if got != tt.want[i] {
					t.Errorf("event %d: error %v, want %q", i, err, tt.want[i])
				}
			}
			if !slices.EqualFunc(s.requests, tt.requests, slices.Equal) {
				t.Errorf("requests %v, want %v", s.requests, tt.requests)
			}
		})
	}
}

func TestPut_Error(t *testing.T) {
	t.Parallel()
	s := &server{}
	for range 100 {
		s.script = append(s.script, response{status: 400, code: "ThrottlingException"})
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	begun := time.Now()
	err := eventbus.Open(mototest.Config(server.URL), "bus").Put(t.Context(), "type", map[string]string{"a": "<b>"})
	if apierror.KindOf(err) != apierror.Throttled || time.Since(begun) > 10*time.Second {
		t.Errorf("error %v after %s", err, time.Since(begun))
	}
	if len(s.requests) < 2 || s.requests[0][0] != `{"a":"<b>"}` {
		t.Errorf("requests %.3q", s.requests)
	}
}
