package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// debeziumWarm is how often Debezium validates in a process that has done it before.
const debeziumWarm = 20

// debezium is a Java process that validates sources with Debezium's connector for
// Postgres, from Maven Central.
type debezium struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
}

// startDebezium needs Java and Maven, which fetches the connector.
func startDebezium(ctx context.Context) (*debezium, error) {
	root, err := localrun.RepositoryRoot()
	if err != nil {
		return nil, err
	}
	cache, err := localrun.Cache("maven")
	if err != nil {
		return nil, err
	}
	directory, classpath := filepath.Join(root, programs, "debezium"), filepath.Join(cache, "classpath")
	resolve := exec.Command("mvn", "-q", "-B", "-f", filepath.Join(directory, "pom.xml"), "-Dmaven.repo.local="+cache,
		"org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath", "-Dmdep.outputFile="+classpath)
	if _, err := localrun.Run(ctx, resolve); err != nil {
		return nil, fmt.Errorf("fetch Debezium: %w", err)
	}
	jars, err := os.ReadFile(classpath)
	if err != nil {
		return nil, fmt.Errorf("read the class path of Debezium: %w", err)
	}
	d := &debezium{process: exec.CommandContext(ctx, "java", "-cp", string(jars), filepath.Join(directory, "Validate.java"))}
	if d.in, err = d.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.out = bufio.NewScanner(out)
	if err := d.process.Start(); err != nil {
		return nil, fmt.Errorf("start Java: %w", err)
	}
	return d, nil
}

func (d *debezium) stop() error { return errors.Join(d.in.Close(), d.process.Wait()) }

// validate returns what Debezium finds wrong, and the time that it took.
func (d *debezium) validate(source pgserver.Source, port int) (errs string, took time.Duration, err error) {
	properties := []string{
		"name=bench", "topic.prefix=bench", "plugin.name=pgoutput", "publication.autocreate.mode=disabled", "database.sslmode=require",
		"database.hostname=127.0.0.1", "database.port=" + strconv.Itoa(port), "database.dbname=" + source.Database,
		"database.user=" + source.Username, "database.password=" + source.Password,
		"slot.name=" + source.Slot, "publication.name=" + source.Publication,
	}
	if _, err := io.WriteString(d.in, strings.Join(properties, "\t")+"\n"); err != nil {
		return "", 0, fmt.Errorf("ask Debezium: %w", err)
	}
	if !d.out.Scan() {
		return "", 0, fmt.Errorf("ask Debezium: it ended: %w", d.out.Err())
	}
	nanoseconds, errs, _ := strings.Cut(d.out.Text(), "\t")
	n, err := strconv.ParseInt(nanoseconds, 10, 64)
	return errs, time.Duration(n), err
}

// debeziumFigures has validations of a sound source over a distance.
type debeziumFigures struct {
	first time.Duration
	warm  []warmCreate
	// dryRuns are headgate's, each after one of Debezium's.
	dryRuns []time.Duration
	// verdicts has what headgate and Debezium say of broken sources.
	verdicts []verdict
}

func (s *scene) debezium(ctx context.Context) (f debeziumFigures, err error) {
	d, err := startDebezium(ctx)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	// Debezium has no AWS to ask: only the server is far.
	link := &network{postgres: s.far.postgres, dynamo: s.near.dynamo, secrets: s.near.secrets}
	function, err := s.start(ctx, ours, link)
	if err != nil {
		return f, err
	}
	defer function.Stop()
	for i := range 1 + debeziumWarm {
		before := s.far.traffic()
		errs, took, err := d.validate(s.source, s.far.postgres.Port())
		if err != nil {
			return f, err
		}
		if errs != "" {
			return f, fmt.Errorf("debezium rejects a sound source: %s", errs)
		}
		traffic := s.far.traffic().minus(before)
		dryRun, err := s.dryRun(ctx, function, link)
		if err != nil {
			return f, err
		}
		if i == 0 {
			f.first = took
			continue
		}
		f.warm, f.dryRuns = append(f.warm, warmCreate{took, traffic}), append(f.dryRuns, dryRun)
	}
	f.verdicts, err = s.judgeBroken(ctx, d)
	return f, err
}

func (f debeziumFigures) took() time.Duration {
	return medianOf(f.warm, func(w warmCreate) time.Duration { return w.took })
}

func (f debeziumFigures) row() Row {
	return Row{"a warm dry run at 50 ms from the server, against Debezium's warm validator", "×", ratio(Median(f.dryRuns), f.took()), 0.55}
}

func (f debeziumFigures) detail() [][]string {
	trips := func(property func(traffic) int) string {
		return strconv.Itoa(medianOf(f.warm, func(w warmCreate) int { return property(w.traffic) }))
	}
	return [][]string{
		{fmt.Sprintf("Debezium's validator at 50 ms from the server, median of %d", debeziumWarm), ""},
		{"headgate's dry run, warm", amount(milliseconds(Median(f.dryRuns)), "ms")},
		{"warm", amount(milliseconds(f.took()), "ms")},
		{"the first of the process", amount(milliseconds(f.first), "ms")},
		{"connections to Postgres", trips(postgresConnections)},
		{"round trips to Postgres", trips(postgresTrips)},
	}
}
