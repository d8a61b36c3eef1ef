package sample

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/apikey"
)

const (
	createTimeout = 30 * time.Second
	deleteTimeout = 10 * time.Second
)

// API is where a source is registered.
type API struct {
	URL string // without a path
	Key apikey.Text
}

// Registration is a source that the API holds. The zero value stands for none.
type Registration struct {
	api  API
	path string
}

// Register creates the source in api. It writes to w the request, as a command
// that can be pasted, and the response, which need not be a 201. The end of ctx
// does not interrupt the request: Remove needs to know its outcome.
func (s *Source) Register(ctx context.Context, w io.Writer, api API) (Registration, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	const path = "/api/postgres_databases"
	// The data file may hold the sample of a run that was killed.
	body := s.payload("sample-" + time.Now().UTC().Format("20060102-150405"))
	fmt.Fprintf(w, "\n$ curl -i %s \\\n  -H 'Authorization: Bearer %s' \\\n  -H 'Content-Type: application/json' \\\n  -d '%s'\n\n",
		api.URL+path, api.Key.Reveal(), body)
	response, answer, err := api.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return Registration{}, fmt.Errorf("register the sample source: %w", err)
	}
	location := response.Header.Get("Location")
	fmt.Fprintf(w, "%s %s\nLocation: %s\n\n%s\n\n", response.Proto, response.Status, location, indented(answer))
	if response.StatusCode != http.StatusCreated {
		return Registration{}, nil
	}
	return Registration{api: api, path: location}, nil
}

// Remove deletes the registration from the API. A registration that is gone is not
// an error. The end of ctx does not interrupt the request.
func (r Registration) Remove(ctx context.Context) error {
	if r.path == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	response, answer, err := r.api.do(ctx, http.MethodDelete, r.path, "")
	if err != nil {
		return fmt.Errorf("remove the sample's registration: %w", err)
	}
	switch response.StatusCode {
	case http.StatusOK, http.StatusNoContent, http.StatusNotFound:
		return nil
	}
	return fmt.Errorf("remove the sample's registration: %s: %s", response.Status, answer)
}

func (a API) do(ctx context.Context, method, path, body string) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, a.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+a.Key.Reveal())
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	// The server is on this machine: no proxy is in between.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response, answer, err
}

func indented(b []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return string(b)
	}
	return strings.TrimSpace(out.String())
}
