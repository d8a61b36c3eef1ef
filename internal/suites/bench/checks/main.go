// Command checks measures a round of health checks of 2,000 registrations on a real
// server: the time, the connections at once, the memory, and whether a walsender was
// used.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
	"github.com/headgate/headgate/internal/localstore"
	"github.com/headgate/headgate/internal/probe"
	"github.com/headgate/headgate/internal/testkit/pgserver"
	"github.com/headgate/headgate/internal/testkit/pgtest"
)

const account = "bench"

var (
	databases  = flag.Int("databases", 2000, "number of registrations, each with a slot of its own")
	concurrent = flag.Int("concurrent", 50, "databases that are checked at the same time, as in one invocation")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// scene is a server with a slot for each registration, and the service.
type scene struct {
	server    *pgserver.Server
	directory string
	service   *database.Service
	source    pgserver.Source
	refs      []database.Ref
}

func run(ctx context.Context) (err error) {
	s := &scene{source: pgserver.Source{Database: "source", Username: "cdc", Password: "password", Publication: "pub", Slot: "slot"}}
	if s.directory, err = os.MkdirTemp("", "headgate-checks"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.directory)) }()
	installation, err := pgtest.Installation(ctx)
	if err != nil {
		return err
	}
	s.server, err = pgserver.Start(ctx, pgserver.Options{Installation: installation, Settings: map[string]string{
		"max_replication_slots": strconv.Itoa(*databases + 10), "max_connections": strconv.Itoa(*concurrent + 50),
		"log_connections": "on",
	}})
	if err != nil {
		return err
	}
	defer s.server.Stop()
	store, err := localstore.Open(filepath.Join(s.directory, "headgate.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	policy, err := egress.New("127.0.0.0/8", "")
	if err != nil {
		return err
	}
	s.service = &database.Service{
		Catalog: store.Catalog(), Vault: store.Vault(), References: store, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		HealthProber: probe.New(policy), HealthLimits: database.DefaultHealthLimits(), HealthRefresh: database.DefaultHealthRefresh,
	}
	if err := s.register(ctx); err != nil {
		return err
	}
	return s.measure(ctx)
}

// register makes the slots and stores a registration for each.
func (s *scene) register(ctx context.Context) error {
	if err := s.server.CreateSource(ctx, s.source); err != nil {
		return err
	}
	if _, err := s.server.Exec(ctx, s.source.Database, "SELECT count(pg_create_logical_replication_slot('slot_' || i, 'pgoutput')) FROM generate_series(1, "+strconv.Itoa(*databases)+") i"); err != nil {
		return err
	}
	for i := range *databases {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		d := database.Database{
			ID: id.String(), Account: account, Name: "database-" + strconv.Itoa(i), Version: 1, Change: id.String(),
			Endpoint: database.Endpoint{
				Hostname: "127.0.0.1", Port: s.server.Port(), Database: s.source.Database, Username: s.source.Username, SSL: true,
			},
			Slot: database.Slot{PublicationName: s.source.Publication, SlotName: "slot_" + strconv.Itoa(i+1), Status: database.SlotActive},
		}
		secret, err := s.service.Vault.Create(ctx, d, database.Passwords{Main: database.Password(s.source.Password)})
		if err != nil {
			return err
		}
		d.SecretVersion = secret.Version
		if err := s.service.Catalog.Insert(ctx, d, nil); err != nil {
			return err
		}
		s.refs = append(s.refs, database.Ref{Account: account, DatabaseID: d.ID})
	}
	return nil
}

// measure checks all registrations twice: the first time each outcome is stored.
func (s *scene) measure(ctx context.Context) error {
	watch, stopWatch := context.WithCancel(ctx)
	most := make(chan int, 1)
	go func() { most <- s.watch(watch) }()
	fmt.Printf("PostgreSQL %s, %d registrations, %d at a time\n", s.server.Installation().Version, len(s.refs), *concurrent)
	for _, round := range []string{"first round", "second round"} {
		began, cpu := time.Now(), cpuTime()
		var invocations []time.Duration
		statuses := map[database.HealthStatus]int{}
		for batch := range slices.Chunk(s.refs, *concurrent) {
			start := time.Now()
			for _, checked := range s.service.CheckHealth(ctx, batch) {
				if checked.Err != nil {
					stopWatch()
					return checked.Err
				}
				statuses[checked.Health.Status]++
			}
			invocations = append(invocations, time.Since(start))
		}
		slices.Sort(invocations)
		fmt.Printf("%s: %s, %s of CPU; an invocation of %d: median %s, longest %s; %v\n", round, time.Since(began).Round(time.Millisecond),
			(cpuTime() - cpu).Round(time.Millisecond), *concurrent, invocations[len(invocations)/2].Round(time.Millisecond),
			invocations[len(invocations)-1].Round(time.Millisecond), statuses)
	}
	stopWatch()
	data, err := s.server.Exec(ctx, "postgres", "SHOW data_directory")
	if err != nil {
		return err
	}
	log, err := os.ReadFile(filepath.Join(filepath.Dir(data), "log"))
	if err != nil {
		return err
	}
	fmt.Printf("connections at once, seen on the server: at most %d\n", <-most)
	fmt.Printf("logins in the server's log: %d; of walsenders: %d\n", bytes.Count(log, []byte("connection authorized: user="+s.source.Username+" ")),
		bytes.Count(log, []byte("replication connection authorized")))
	fmt.Printf("memory of this process: at most %d MiB\n", maxResident()>>20)
	return nil
}

// watch returns the largest number of sessions of the role that were there at once.
func (s *scene) watch(ctx context.Context) int {
	most := 0
	for ctx.Err() == nil {
		out, err := s.server.Exec(ctx, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = '"+s.source.Username+"'")
		if n, convErr := strconv.Atoi(out); err == nil && convErr == nil {
			most = max(most, n)
		}
	}
	return most
}

// cpuTime returns the time that this process has used of all CPUs.
func cpuTime() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// maxResident returns the largest resident set of this process, in bytes.
func maxResident() int64 { return usage().Maxrss << 10 } // in KiB on Linux

func usage() syscall.Rusage {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return syscall.Rusage{} // the figures are then 0, which shows
	}
	return u
}
