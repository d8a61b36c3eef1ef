// Command invoke runs a built function once for one event, without Docker, and
// prints its answer, with the body of an HTTP response as JSON.
//
//	go run ./internal/testkit/runtimeapi/invoke -binary bin/invoke/create-database/bootstrap -event events/create-database-by-url.json
//
// The function sees the variables that headgate's functions read, and every
// AWS_* variable. The answer goes to standard output; the function's log goes to
// standard error, without the declarations of its metrics. The exit status is 1
// when the function fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/headgate/headgate/internal/testkit/runtimeapi"
)

func main() {
	binary := flag.String("binary", "", "the `path` of the function's bootstrap")
	event := flag.String("event", "", "the `file` with the event as JSON, - for standard input")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *binary, *event, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "invoke:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary, event string, answer, log io.Writer) error {
	if binary == "" || event == "" {
		return fmt.Errorf("both -binary and -event are needed")
	}
	payload, err := read(event)
	if err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	function, err := runtimeapi.Start(ctx, runtimeapi.Config{Binary: binary, Env: environment(os.Environ())})
	if err != nil {
		return err
	}
	result, err := function.Invoke(ctx, payload)
	function.Stop()
	if _, logErr := io.WriteString(log, readableLog(function.Logs())); logErr != nil {
		return fmt.Errorf("write the log: %w", logErr)
	}
	if err != nil {
		return err
	}
	if _, err := answer.Write(readableAnswer(result.Payload)); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	if result.FunctionError != nil {
		return fmt.Errorf("the function failed: %w", result.FunctionError)
	}
	return nil
}

func read(event string) ([]byte, error) {
	if event == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(event)
}

// environment returns the variables that the function sees, from all those of
// this process. The log is JSON, as template.yaml has it.
func environment(all []string) []string {
	names := []string{
		"TABLE_NAME", "SECRET_PREFIX", "SECRET_KMS_KEY_ID", "EGRESS_ALLOW", "EVENT_BUS_NAME", "DEAD_LETTER_QUEUE_URL",
		"SWEEP_AGE", "RDS_IAM_ACCOUNTS", "API_REFERENCE", "CHECK_QUEUE_URL", "HEALTH_RETAINED_MB", "HEALTH_SAFE_PERCENT",
		"HEALTH_DATABASE_METRICS", "HTTPS_PROXY", "NO_PROXY",
	}
	seen := []string{"AWS_LAMBDA_LOG_FORMAT=JSON"}
	for _, variable := range all {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "AWS_") || slices.Contains(names, name) {
			seen = append(seen, variable)
		}
	}
	return seen
}
