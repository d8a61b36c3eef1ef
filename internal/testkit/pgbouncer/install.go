package pgbouncer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/headgate/headgate/internal/testkit/localrun"
)

const installTimeout = 10 * time.Minute

// bouncer is an installation of PgBouncer. libraries is a search path for libraries
// that the system lacks.
type bouncer struct{ path, libraries string }

// install finds PgBouncer or gets it from the package manager: it installs it as root,
// and otherwise unpacks it into the repository's cache.
var install = sync.OnceValues(func() (bouncer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	if b, err := find(); err == nil {
		return b, nil
	}
	if os.Geteuid() == 0 {
		if err := localrun.AptInstall(ctx, "pgbouncer"); err != nil {
			return bouncer{}, err
		}
		return find()
	}
	return unpack(ctx)
})

func find() (bouncer, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return bouncer{path: path}, nil
		}
	}
	return bouncer{}, errors.New("find PgBouncer: not installed")
}

// unpack unpacks the package and its missing dependencies, which needs no
// privileges.
func unpack(ctx context.Context) (bouncer, error) {
	cache, err := localrun.Cache("pgbouncer")
	if err != nil {
		return bouncer{}, err
	}
	unlock, err := localrun.Lock(ctx, cache+".lock")
	if err != nil {
		return bouncer{}, err
	}
	defer unlock()
	b := bouncer{path: filepath.Join(cache, "usr/sbin/pgbouncer")}
	if libraries, err := filepath.Glob(filepath.Join(cache, "usr/lib/*-linux-gnu*")); err == nil {
		b.libraries = strings.Join(libraries, ":")
	}
	if _, err := os.Stat(b.path); err == nil {
		return b, nil
	}
	script := `set -e
for p in $(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances pgbouncer |
	sed -n 's/^ *|\{0,1\}Depends: \(lib[^ <]*\)$/\1/p'); do
	dpkg -s "$p" >/dev/null 2>&1 || apt-get download "$p"
done
apt-get download pgbouncer
for p in lib*.deb pgbouncer*.deb; do test ! -e "$p" || dpkg -x "$p" .; done
rm -f ./*.deb`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = cache
	if _, err := localrun.Run(ctx, cmd); err != nil {
		return bouncer{}, fmt.Errorf("get PgBouncer: %w", err)
	}
	libraries, err := filepath.Glob(filepath.Join(cache, "usr/lib/*-linux-gnu*"))
	b.libraries = strings.Join(libraries, ":")
	return b, err
}
