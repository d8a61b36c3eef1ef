// Command run prints headgate's figures and their goals. It takes some minutes.
// Other work on the machine makes the times useless.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/headgate/headgate/internal/suites/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	growth := flag.Bool("growth", false, "measure sources of up to 200,000 tables on PostgreSQL 15, 17 and 18 instead")
	flag.Parse()
	measure := bench.Run
	if *growth {
		measure = func(ctx context.Context, out io.Writer) error {
			return bench.Growth(ctx, out, bench.GrowthMajors(), bench.GrowthSizes())
		}
	}
	err := measure(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
