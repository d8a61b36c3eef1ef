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

// StartStandby makes a hot standby of a running primary by streaming
// replication and returns once it has caught up. Options left empty are the
// primary's; settings are added to the primary's. It sends feedback to the
// primary unless the setting hot_standby_feedback is off. The standby is
// stopped like any server, best before its primary.
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
		return nil, fmt.Errorf("start a standby: %w", err)
	}
	standby.password = primary.password
	if err := standby.follow(ctx, primary); err != nil {
		return nil, standby.abandon(fmt.Errorf("follow the primary: %w", err))
	}
	return standby, nil
}

func (s *Server) follow(ctx context.Context, primary *Server) error {
	if slot := s.options.PrimarySlot; slot != "" {
		_, err := primary.Exec(ctx, databaseOfRoot, fmt.Sprintf(
			"SELECT pg_create_physical_replication_slot('%s', true)", strings.ReplaceAll(slot, "'", "''")))
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
	answer, err := s.Exec(ctx, databaseOfRoot, "SELECT pg_is_in_recovery()")
	if err != nil {
		return err
	}
	if answer != "t" {
		return errors.New("the server is no standby")
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

// backUp copies the primary's data by the low-level API for backups, since not
// every installation has pg_basebackup. The backup belongs to a session and
// ends with it.
func (s *Server) backUp(ctx context.Context, primary *Server) error {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	conn, err := primary.connect(ctx, databaseOfRoot)
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

// notBackedUp tells what a backup leaves out, as the manual's chapter on the
// low-level API lists it; the directories themselves are kept.
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

// WaitForReplay waits, for a minute at most, until the standby has replayed
// all that the primary had committed when it was called.
func WaitForReplay(ctx context.Context, primary, standby *Server) error {
	position, err := primary.Exec(ctx, databaseOfRoot, "SELECT pg_current_wal_flush_lsn()")
	if err != nil {
		return fmt.Errorf("ask the primary for its position: %w", err)
	}
	ask := fmt.Sprintf("SELECT coalesce(pg_last_wal_replay_lsn() >= '%s'::pg_lsn, false)", position)
	return standby.poll(ctx, "wait for the standby", func(ctx context.Context) (bool, error) {
		answer, err := standby.Exec(ctx, databaseOfRoot, ask)
		return answer == "t", err
	})
}
