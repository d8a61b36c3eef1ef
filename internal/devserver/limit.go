package devserver

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/headgate/headgate/internal/httpapi"
)

const (
	// maxChecks bounds the requests that check targets at once. Lambda runs one request
	// in a process; here all of them share the processors, and a check that has to wait
	// for those can't tell a slow server. A server has ten walsenders by default.
	maxChecks = 8
	// checkWait is how long a request waits for its turn.
	checkWait = 5 * time.Second
)

// limitChecks makes the endpoints that check targets run at most limit at once. A
// request whose turn does not come within wait is answered 503.
func limitChecks(endpoints map[httpapi.Operation]httpapi.Endpoint, limit int, wait time.Duration) {
	turns := make(chan struct{}, limit)
	for _, o := range []httpapi.Operation{httpapi.CreateDatabase, httpapi.UpdateDatabase, httpapi.TestConnection, httpapi.RefreshTables} {
		endpoint := endpoints[o]
		endpoints[o] = func(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
			waiting, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
			case <-waiting.Done():
				return busy(limit), nil
			}
			return endpoint(ctx, r)
		}
	}
}

func busy(limit int) httpapi.Response {
	return httpapi.Response{Status: http.StatusServiceUnavailable, Body: map[string]string{
		"summary": "this server checks " + strconv.Itoa(limit) + " databases at once, and others came first: nothing was changed, try again later",
	}}
}
