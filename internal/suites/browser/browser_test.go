// Package browser_test shows the pages for people in a real browser.
package browser_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/devtest"
	"github.com/headgate/headgate/internal/testkit/localrun"
)

// timeout covers the start of a browser on a busy machine.
const timeout = 2 * time.Minute

var screenshot = flag.String("screenshot", "", "file that a screenshot of the reference is written to")

// browser returns a Chromium, which is installed if it is missing. What is on PATH may
// have any of the names.
func browser(t *testing.T) string {
	t.Helper()
	find := func() string {
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
		}
		return ""
	}
	if path := find(); path != "" {
		return path
	}
	if err := localrun.AptInstall(t.Context(), "chromium"); err != nil {
		t.Fatal(err)
	}
	return find()
}

// open opens a URL and returns the document that its scripts made, and what the
// browser logged, its console too.
func open(t *testing.T, url string, flags ...string) (document, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	arguments := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--user-data-dir=" + t.TempDir(), "--enable-logging=stderr", "--virtual-time-budget=20000", "--window-size=1280,1400",
	}, append(flags, url)...)
	cmd := exec.CommandContext(ctx, browser(t), arguments...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, errOut.String())
	}
	return out.String(), errOut.String()
}

func wantShown(t *testing.T, document, log string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(document, text) {
			t.Errorf("%q is not shown", text)
		}
	}
	for line := range strings.SplitSeq(log, "\n") {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("the console has %s", line)
		}
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/api/reference", "/api/reference/"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			document, log := open(t, devtest.Start(t).URL()+path, "--dump-dom")
			wantShown(t, document, log, `id="operations-Databases-create-database"`, `id="operations-Targets-get-health"`, "http://127.0.0.1:")
		})
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	document, log := open(t, devtest.Start(t).URL()+"/", "--dump-dom")
	wantShown(t, document, log, `<a href="api/reference">`, "To try")
}

func TestScreenshot(t *testing.T) {
	if *screenshot == "" {
		*screenshot = filepath.Join(t.TempDir(), "reference.png")
	}
	file, err := filepath.Abs(*screenshot)
	if err != nil {
		t.Fatal(err)
	}
	open(t, devtest.Start(t).URL()+"/api/reference", "--screenshot="+file)
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("no screenshot (%v)", err)
	}
}
