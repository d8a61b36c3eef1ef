package samlocal_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const (
	// image replaces AWS's image. SAM adds its runtime emulator to it.
	image    = "headgate-samlocal"
	imageTag = "base"
	// bridge is the network of an engine's containers.
	bridge = "docker0"

	engineTimeout  = time.Minute
	engineGrace    = 20 * time.Second
	requestTimeout = 20 * time.Second
)

// engine is a client of a container engine's HTTP API on a Unix socket.
type engine struct {
	socket string
	client *http.Client
}

func newEngine(socket string) *engine {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &engine{socket, &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: requestTimeout}}
}

// startEngine returns the engine of the machine. If none runs, it starts one that
// ends with the test, and installs Docker if it is missing.
func startEngine(t *testing.T) *engine {
	t.Helper()
	socket := strings.TrimPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if socket == "" {
		socket = "/var/run/docker.sock"
	}
	running := newEngine(socket)
	if _, err := running.call(t.Context(), http.MethodGet, "/_ping", nil); err == nil {
		return running
	}
	requireProgram(t, "dockerd", "^docker[.]io$") // a pattern, because the name is also a registry's
	// The name of t.TempDir is too long for a socket.
	dir, err := os.MkdirTemp("", "samlocal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	own := newEngine(filepath.Join(dir, "docker.sock"))
	own.start(t, dir)
	return own
}

func (e *engine) start(t *testing.T, dir string) {
	t.Helper()
	var log localrun.Output
	// The engine must not change the machine's packet filter or routing. Published
	// ports go through its own proxy.
	cmd := exec.Command("dockerd", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
		"--host", "unix://"+e.socket, "--pidfile", filepath.Join(dir, "pid"),
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"))
	cmd.Stdout, cmd.Stderr = &log, &log
	process, err := localrun.Start(cmd, syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.client.CloseIdleConnections()
		process.Stop(syscall.SIGTERM, engineGrace)
		// The engine leaves its bridge behind.
		if out, err := exec.Command("busybox", "ip", "link", "delete", bridge).CombinedOutput(); err != nil {
			t.Errorf("remove the engine's bridge: %v: %s", err, out)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), engineTimeout)
	defer cancel()
	err = process.Await(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		_, err := e.call(ctx, http.MethodGet, "/_ping", nil)
		return err
	})
	if err != nil {
		t.Fatalf("start dockerd: %v\n%s", err, localrun.Tail(log.String()))
	}
}

// call sends a request and returns the response. A status above 299 is an error.
func (e *engine) call(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, body)
	if err != nil {
		return nil, err
	}
	response, err := e.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode > 299 {
		err = fmt.Errorf("%s %s: status %d: %s", method, path, response.StatusCode, text)
	}
	return text, err
}

// hostAddress returns the address of this machine on the engine's bridge, where
// containers reach it.
func hostAddress(t *testing.T) string {
	t.Helper()
	i, err := net.InterfaceByName(bridge)
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := i.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil {
			return network.IP.String()
		}
	}
	t.Fatalf("%s has no IPv4 address", bridge)
	return ""
}

// importImage creates the image from scratch. The functions are static binaries, so
// it needs only the programs that SAM's build runs in it.
func (e *engine) importImage(t *testing.T) {
	t.Helper()
	archive, err := root()
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{"fromSrc": {"-"}, "repo": {image}, "tag": {imageTag}}
	response, err := e.call(t.Context(), http.MethodPost, "/images/create?"+query.Encode(), archive)
	if err == nil && bytes.Contains(response, []byte(`"error"`)) {
		err = fmt.Errorf("%s", response)
	}
	if err != nil {
		t.Fatalf("import the image: %v", err)
	}
	t.Cleanup(func() { e.removeImages(t) })
}

// removeImages removes the image and those that SAM built on it.
func (e *engine) removeImages(t *testing.T) {
	query := url.Values{"filters": {`{"reference":["` + image + `"]}`}}
	response, err := e.call(context.Background(), http.MethodGet, "/images/json?"+query.Encode(), nil)
	var images []struct{ ID string }
	err = errors.Join(err, json.Unmarshal(response, &images))
	for _, i := range images {
		_, removed := e.call(context.Background(), http.MethodDelete, "/images/"+i.ID+"?force=true", nil)
		err = errors.Join(err, removed)
	}
	if err != nil {
		t.Errorf("remove the images: %v", err)
	}
}

// root returns the image's file system as a tar archive: a shell and the two
// programs with which SAM installs its emulator.
func root() (io.Reader, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	busybox, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err = w.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777})
	err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "bin/busybox", Mode: 0o755, Size: int64(len(busybox))}))
	_, written := w.Write(busybox)
	err = errors.Join(err, written)
	for _, name := range []string{"sh", "mv", "chmod"} {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox"}))
	}
	return &archive, errors.Join(err, w.Close())
}

// requireProgram installs the Debian package of a program unless it is on PATH.
func requireProgram(t *testing.T, program, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if err := localrun.AptInstall(t.Context(), debianPackage); err != nil {
		t.Fatal(err)
	}
}
