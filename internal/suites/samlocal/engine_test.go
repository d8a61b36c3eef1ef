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
	// image is what SAM puts its runtime emulator into, in place of AWS's image.
	image    = "headgate-samlocal"
	imageTag = "base"
	// bridge is the network that an engine puts containers on.
	bridge = "docker0"

	engineDeadline  = time.Minute
	enginePatience  = 20 * time.Second
	requestDeadline = 20 * time.Second
)

// engine is a container engine, by its HTTP API on a Unix socket.
type engine struct {
	socket string
	client *http.Client
}

func newEngine(socket string) *engine {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &engine{socket, &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: requestDeadline}}
}

// startEngine is the engine that the machine runs, or else one that ends with
// the test, for which the machine's Docker is installed when it is missing.
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
	install(t, "dockerd", "^docker[.]io$") // as a pattern, which apt takes: the name is also that of a registry
	// Not t.TempDir: its name is too long for a socket.
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
	// Published ports go through the engine's own proxy: nothing is changed in
	// the machine's packet filter or routing.
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
		process.Stop(syscall.SIGTERM, enginePatience)
		// The engine leaves its bridge behind.
		if out, err := exec.Command("busybox", "ip", "link", "delete", bridge).CombinedOutput(); err != nil {
			t.Errorf("removing the engine's bridge: %v: %s", err, out)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), engineDeadline)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err = e.call(ctx, http.MethodGet, "/_ping", nil); err == nil {
			return
		}
		select {
		case <-process.Done():
			t.Fatalf("dockerd ended: %v\n%s", process.Err(), log.String())
		case <-ctx.Done():
			t.Fatalf("dockerd does not answer: %v", err)
		case <-tick.C:
		}
	}
}

// call makes one request and gives its answer; a status over 299 is an error.
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
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode > 299 {
		err = fmt.Errorf("%s %s: status %d: %s", method, path, response.StatusCode, answer)
	}
	return answer, err
}

// gateway is the address by which a container reaches this machine: that of the
// engine's bridge.
func gateway(t *testing.T) string {
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

// importImage makes the image from scratch: the functions are static binaries,
// so that all it has to have is what SAM's own build runs in it.
func (e *engine) importImage(t *testing.T) {
	t.Helper()
	archive, err := root()
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{"fromSrc": {"-"}, "repo": {image}, "tag": {imageTag}}
	answer, err := e.call(t.Context(), http.MethodPost, "/images/create?"+query.Encode(), archive)
	if err == nil && bytes.Contains(answer, []byte(`"error"`)) {
		err = fmt.Errorf("%s", answer)
	}
	if err != nil {
		t.Fatalf("importing the image: %v", err)
	}
	t.Cleanup(func() { e.removeImages(t) })
}

// removeImages removes the image and what SAM built on it.
func (e *engine) removeImages(t *testing.T) {
	query := url.Values{"filters": {`{"reference":["` + image + `"]}`}}
	answer, err := e.call(context.Background(), http.MethodGet, "/images/json?"+query.Encode(), nil)
	var images []struct{ ID string }
	err = errors.Join(err, json.Unmarshal(answer, &images))
	for _, i := range images {
		_, removed := e.call(context.Background(), http.MethodDelete, "/images/"+i.ID+"?force=true", nil)
		err = errors.Join(err, removed)
	}
	if err != nil {
		t.Errorf("removing the images: %v", err)
	}
}

// root is the file system of the image as a tar archive: a shell and the two
// programs with which SAM puts its emulator in place.
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

// install installs the Debian package that has a program, unless it is there.
func install(t *testing.T, program, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if err := localrun.AptInstall(t.Context(), debianPackage); err != nil {
		t.Fatal(err)
	}
}
