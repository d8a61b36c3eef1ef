package pgserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// StartStandby starts a hot standby of a running primary and returns once it has
// caught up. Empty options default to the primary's, and settings are added to
// the primary's. The standby sends feedback unless the setting
// hot_standby_feedback is off. Stop it before its primary.
func StartStandby(ctx context.Context, primary *Server, options Options) (*Server, error) {
	options.Installation = primary.options.Installation
	if options.HBA == nil {
		options.HBA = primary.options.HBA
	}
	if options.PasswordEncryption == "" {
		options.PasswordEncryption = primary.options.PasswordEncryption
	}
	standby, err := prepare(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("start standby: %w", err)
	}
	standby.password = primary.password
	if err := standby.follow(ctx, primary); err != nil {
		return nil, standby.abandon(fmt.Errorf("follow primary: %w", err))
	}
	return standby, nil
}

func (s *Server) follow(ctx context.Context, primary *Server) error {
	if slot := s.options.PrimarySlot; slot != "" {
		_, err := primary.Exec(ctx, superuserDatabase, "SELECT pg_create_physical_replication_slot("+quoteLiteral(slot)+", true)")
		if err != nil {
			return err
		}
	}
	if err := s.backUp(ctx, primary); err != nil {
		return err
	}
	s.options.Settings = s.standbySettings(primary)
	if err := s.begin(ctx); err != nil {
		return err
	}
	answer, err := s.Exec(ctx, superuserDatabase, "SELECT pg_is_in_recovery()")
	if err != nil {
		return err
	}
	if answer != "t" {
		return errors.New("the server is not a standby")
	}
	return WaitForReplay(ctx, primary, s)
}

func (s *Server) standbySettings(primary *Server) map[string]string {
	settings := map[string]string{
		"hot_standby":          "on",
		"hot_standby_feedback": "on",
		"primary_slot_name":    s.options.PrimarySlot,
		"primary_conninfo": fmt.Sprintf("host=%s port=%d user=postgres password=%s sslmode=prefer application_name=standby",
			primary.Host(), primary.Port(), primary.password),
	}
	maps.Copy(settings, primary.options.Settings)
	maps.Copy(settings, s.options.Settings)
	return settings
}

// backUp copies the primary's data with the low-level backup API, since not every
// installation has pg_basebackup.
func (s *Server) backUp(ctx context.Context, primary *Server) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	conn, err := primary.connect(ctx, superuserDatabase)
	if err != nil {
		return err
	}
	err = s.backUpThrough(ctx, conn, primary)
	return errors.Join(err, conn.Close(ctx))
}

func (s *Server) backUpThrough(ctx context.Context, conn *pgconn.PgConn, primary *Server) error {
	start, stop := "SELECT pg_backup_start('standby', true)", "SELECT labelfile FROM pg_backup_stop(false)"
	if s.options.Installation.Major < 15 {
		start, stop = "SELECT pg_start_backup('standby', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"
	}
	if _, err := query(ctx, conn, start); err != nil {
		return err
	}
	if err := copyCluster(s.owner, primary.data(), s.data(), notBackedUp); err != nil {
		return err
	}
	label, err := query(ctx, conn, stop)
	if err != nil {
		return err
	}
	if err := s.write("backup_label", []byte(strings.TrimSuffix(label, "\n")+"\n")); err != nil {
		return err
	}
	return s.write("standby.signal", nil)
}

// notBackedUp reports whether a backup leaves out a path, as the chapter on the
// low-level API in Postgres's manual lists them.
func notBackedUp(relative string) bool {
	name := filepath.Base(relative)
	if strings.HasPrefix(name, "pgsql_tmp") || name == "postmaster.pid" || name == "postmaster.opts" ||
		name == "postgresql.auto.conf.tmp" {
		return true
	}
	parent, _, inside := strings.Cut(relative, string(filepath.Separator))
	if !inside {
		return false
	}
	switch parent {
	case "pg_wal":
		return name != "archive_status"
	case "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans":
		return true
	default:
		return false
	}
}

// WaitForReplay waits until the standby has replayed everything that the primary
// had committed when WaitForReplay was called, for a minute at most.
func WaitForReplay(ctx context.Context, primary, standby *Server) error {
	position, err := primary.Exec(ctx, superuserDatabase, "SELECT pg_current_wal_flush_lsn()")
	if err != nil {
		return fmt.Errorf("read LSN of the primary: %w", err)
	}
	ask := fmt.Sprintf("SELECT coalesce(pg_last_wal_replay_lsn() >= '%s'::pg_lsn, false)", position)
	return poll(ctx, "wait for replay", func(ctx context.Context) (bool, error) {
		answer, err := standby.Exec(ctx, superuserDatabase, ask)
		return answer == "t", err
	})
}
