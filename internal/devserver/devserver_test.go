package devserver_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headgate/headgate/internal/devserver"
)

func load(t *testing.T, vars map[string]string) (devserver.Config, error) {
	t.Helper()
	return devserver.Load(func(name string) string { return vars[name] })
}

func start(t *testing.T, vars map[string]string) (*devserver.Server, devserver.Config) {
	t.Helper()
	c, err := load(t, vars)
	if err != nil {
		t.Fatal(err)
	}
	s, err := devserver.Start(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, c
}

func TestTheSampleIsRegisteredAndShown(t *testing.T) {
	t.Parallel()
	s, c := start(t, map[string]string{"PORT": "0", "DATA_FILE": filepath.Join(t.TempDir(), "data", "headgate.db")})
	sample, err := devserver.StartSample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sample.Stop)
	var out bytes.Buffer
	if err := sample.Create(t.Context(), &out, s, c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"$ curl -i " + s.URL() + "/api/postgres_databases", "HTTP/1.1 201 Created", `"password": "************"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in what it printed:\n%s", want, out.String())
		}
	}
}

func TestOnlyTheOneKeyIsLetIn(t *testing.T) {
	t.Parallel()
	s, _ := start(t, map[string]string{"PORT": "0", "DATA_FILE": filepath.Join(t.TempDir(), "headgate.db"), "API_KEY": "the-key"})
	for key, want := range map[string]int{"Bearer the-key": 200, "Bearer other": 401, "": 401, "the-key": 401} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/postgres_databases", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != want || !json.Valid(body) {
			t.Errorf("%q: %d %s (%v)", key, response.StatusCode, body, err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestASecondServerOnOneFileIsTold(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "headgate.db")
	start(t, map[string]string{"PORT": "0", "DATA_FILE": file})
	c, err := load(t, map[string]string{"PORT": "0", "DATA_FILE": file})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := devserver.Start(c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error %v", err)
	}
}

func TestAMalformedVariableIsNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"PORT": "http", "SAMPLE": "yes", "EGRESS_ALLOW": "all"} {
		if _, err := load(t, map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}
