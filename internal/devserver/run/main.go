// Command run serves the API on loopback over a local file, without AWS, and
// shows one create against a throwaway source database.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/headgate/headgate/internal/devserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "headgate: "+err.Error())
		os.Exit(1)
	}
}

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
	if config.Sample {
		sample, err := devserver.StartSample(ctx)
		if err != nil {
			fmt.Fprintf(out, "There is no sample source, since no Postgres server could be started: %v\n\n", err)
		} else {
			defer sample.Stop()
			if err := sample.Create(ctx, out, server, config); err != nil {
				return fmt.Errorf("registering the sample source: %w", err)
			}
		}
	}
	fmt.Fprintf(out, "headgate serves %s until it is interrupted; databases are kept in %s\n", server.URL(), config.DataFile)
	<-ctx.Done()
	return nil
}
