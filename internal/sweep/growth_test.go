package sweep_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/headgate/headgate/internal/catalog"
	"github.com/headgate/headgate/internal/sweep"
)

// manySecrets is a vault with that many secrets, each with a database.
type manySecrets struct {
	sweep.Vault
	count int
}

func (v manySecrets) Secrets(context.Context) ([]sweep.Secret, error) {
	var secrets []sweep.Secret
	for i := range v.count {
		secrets = append(secrets, sweep.Secret{Account: "account", Database: fmt.Sprintf("01a205d5-9db7-7210-844a-%012x", i)})
	}
	return secrets, nil
}

// answerItems answers every request on a connection with the item of a database, at
// little cost.
func answerItems(conn net.Conn) {
	const body = `{"Item":{"PK":{"S":"account#account"},"SK":{"S":"database#x"},"version":{"N":"1"},"secret_version":{"S":"v"},` +
		`"document":{"S":"{\"id\":\"01a205d5-9db7-7210-844a-000000000000\",\"name\":\"orders\",\"secret_version\":\"v\"}"}}}`
	response := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		if _, err := io.WriteString(conn, response); err != nil {
			return
		}
	}
}

// BenchmarkSweep_Secret reports the CPU time and the memory that a sweep takes for each
// secret, with the time that the benchmark takes to answer.
func BenchmarkSweep_Secret(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerItems(conn)
		}
	}()
	s := sweep.Sweeper{
		Catalog: catalog.Open(aws.Config{
			Region: "eu-west-1", BaseEndpoint: aws.String("http://" + listener.Addr().String()),
			Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		}, "table"),
		Vault: manySecrets{count: b.N}, Now: time.Now, Age: time.Hour, Log: slog.New(slog.DiscardHandler),
	}
	var memory runtime.MemStats
	before := cpuTime(b)
	b.ResetTimer()
	report, err := s.Sweep(b.Context())
	b.StopTimer()
	if err != nil || report.Seen != b.N || report.Orphans > 0 {
		b.Fatalf("%+v, error %v", report, err)
	}
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(memory.Sys)/float64(b.N), "process-B/op")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
