// Command run serves the API on this machine over a local file, without AWS, and
// registers a throwaway source database in it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/headgate/headgate/internal/devserver"
	"github.com/headgate/headgate/internal/devserver/sample"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := serve(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "headgate: "+strings.ReplaceAll(err.Error(), "\n", "\nheadgate: "))
		os.Exit(1)
	}
}

// serve serves until ctx ends, and then removes what it registered itself.
func serve(ctx context.Context, out io.Writer) (err error) {
	config, err := devserver.Load(os.Getenv)
	if err != nil {
		return err
	}
	server, err := devserver.Start(config, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	fmt.Fprintf(out, "headgate serves %s and keeps its databases in %s.\n", server.URL(), config.DataFile)
	if config.Sample {
		remove, err := register(ctx, out, sample.API{URL: server.URL(), Key: config.Key})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, remove()) }()
	}
	if ctx.Err() == nil {
		fmt.Fprintln(out, "Ready. Ctrl-C ends it.")
	}
	<-ctx.Done()
	return nil
}

// register starts the sample source and registers it. Without a source it says
// why and returns no error: the API works without one.
func register(ctx context.Context, out io.Writer, api sample.API) (remove func() error, err error) {
	source, err := sample.Start(ctx, out)
	if err != nil {
		if ctx.Err() == nil {
			fmt.Fprintf(out, "There is no sample source: %v\nInstall PostgreSQL or npm, or set SAMPLE=0 to do without.\n", err)
		}
		return func() error { return nil }, nil
	}
	registration, err := source.Register(ctx, out, api)
	if err != nil {
		source.Stop()
		return nil, err
	}
	return func() error {
		defer source.Stop()
		return registration.Remove(ctx)
	}, nil
}
