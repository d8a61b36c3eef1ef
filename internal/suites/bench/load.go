package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/devserver"
	"github.com/headgate/headgate/internal/testkit/gateway"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

// Load counts the responses to creates that were sent at once.
type Load struct {
	Created, Busy int
	// Others has the responses with a status other than 201 and 503.
	Others []string
}

// LoadDevServer sends that many creates at once to a development server, over a source
// with enough walsenders.
func LoadDevServer(ctx context.Context, creates int) (load Load, err error) {
	installation, err := pgtest.Installation(ctx)
	if err != nil {
		return load, err
	}
	postgres, err := pgserver.Start(ctx, pgserver.Options{Installation: installation, Settings: map[string]string{"max_wal_senders": "50"}})
	if err != nil {
		return load, err
	}
	defer postgres.Stop()
	source := pgserver.Source{
		Database: "shop", Username: "cdc", Password: postgres.SuperuserPassword(), Publication: "orders_pub", Slot: "orders_slot",
	}
	if err := postgres.CreateSource(ctx, source); err != nil {
		return load, err
	}
	directory, err := os.MkdirTemp("", "headgate-load")
	if err != nil {
		return load, fmt.Errorf("create directory for the data file: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	variables := map[string]string{"PORT": "0", "DATA_FILE": filepath.Join(directory, "headgate.db"), "SAMPLE": "0"}
	config, err := devserver.Load(func(name string) string { return variables[name] })
	if err != nil {
		return load, err
	}
	server, err := devserver.Start(config, slog.New(slog.DiscardHandler))
	if err != nil {
		return load, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	return sendCreates(ctx, server.URL()+gateway.Collection, config.Key, postgres, source, creates)
}

// sendCreates sends creates at once and counts the responses.
func sendCreates(ctx context.Context, url string, key apikey.Text, postgres *pgserver.Server, source pgserver.Source, creates int) (Load, error) {
	const timeout = time.Minute
	client := &http.Client{Transport: &http.Transport{}, Timeout: timeout}
	defer client.CloseIdleConnections()
	var (
		load Load
		errs []error
		mu   sync.Mutex
		all  sync.WaitGroup
	)
	for i := range creates {
		all.Go(func() {
			status, text, err := sendCreate(ctx, client, url, key, postgres, source, "orders-"+strconv.Itoa(i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				errs = append(errs, err)
			case status == http.StatusCreated:
				load.Created++
			case status == http.StatusServiceUnavailable:
				load.Busy++
			default:
				load.Others = append(load.Others, strconv.Itoa(status)+" "+text)
			}
		})
	}
	all.Wait()
	return load, errors.Join(errs...)
}

func sendCreate(ctx context.Context, client *http.Client, url string, key apikey.Text, postgres *pgserver.Server, source pgserver.Source, name string) (int, string, error) {
	body, err := json.Marshal(map[string]any{
		"name": name, "hostname": postgres.Host(), "port": postgres.Port(), "database": source.Database,
		"username": source.Username, "password": source.Password,
		"replication_slots": []any{map[string]any{"publication_name": source.Publication, "slot_name": source.Slot}},
	})
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+key.Reveal())
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	text, err := io.ReadAll(response.Body)
	if response.StatusCode == http.StatusServiceUnavailable && response.Header.Get("Retry-After") == "" {
		err = errors.Join(err, errors.New("a response of 503 has no Retry-After"))
	}
	return response.StatusCode, string(text), err
}

// loadedCreates is the number of creates that the bench sends at once.
const loadedCreates = 1000

func (l Load) row() Row {
	return Row{
		fmt.Sprintf("%d creates at once on the development server: responses other than 201 (%d) and 503 (%d)", loadedCreates, l.Created, l.Busy),
		"", float64(len(l.Others)), 0,
	}
}
