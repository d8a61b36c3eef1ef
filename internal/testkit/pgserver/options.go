package pgserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Options say how a server is to be; the zero value is a good server for most
// tests.
type Options struct {
	// Installation is the programs to run; the zero value stands for what
	// FindOrInstall gives.
	Installation Installation
	// Settings override the settings of postgresql.conf by name. The defaults
	// are wal_level logical, max_wal_senders 20, max_replication_slots 40,
	// max_connections 100 and no fsync.
	Settings map[string]string
	// HBA are the lines of pg_hba.conf, without line ends. Where it is nil they
	// are: local connections trusted, those from 127.0.0.1 and ::1 with
	// scram-sha-256. Lines that let the superuser in through the server's
	// private unix socket and let standbys in always come before them.
	HBA []string
	// NoTLS turns TLS off. Otherwise the server has a certificate for
	// localhost, 127.0.0.1 and ::1 from an authority of its own.
	NoTLS bool
	// PasswordEncryption is scram-sha-256 (the default) or md5.
	PasswordEncryption string
	// PrimarySlot is the name of a physical replication slot that StartStandby
	// makes on the primary for the standby; empty for none.
	PrimarySlot string
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	if o.HBA == nil {
		o.HBA = []string{
			"local all all trust",
			"host all all 127.0.0.1/32 scram-sha-256",
			"host all all ::1/128 scram-sha-256",
		}
	}
	if o.PasswordEncryption == "" {
		o.PasswordEncryption = "scram-sha-256"
	}
	return o
}

// settings are the server's settings; what the caller asked for wins over the
// defaults, and what this package depends on wins over the caller.
func (o Options) settings(listen, socketDirectory string, port int) map[string]string {
	settings := map[string]string{
		"wal_level":             "logical",
		"max_wal_senders":       "20",
		"max_replication_slots": "40",
		"max_connections":       "100",
		// The data are thrown away: nothing need survive a crash of the machine.
		// Commits still wait for their write, so that what a test has committed
		// can be decoded at once.
		"fsync":            "off",
		"full_page_writes": "off",
		"shared_buffers":   "32MB",
		"min_wal_size":     "32MB",
		"max_wal_size":     "256MB",
		"jit":              "off",
		// Standbys start before the primary has forgotten the log they need.
		keepSetting(o.Installation.Major): keepValue(o.Installation.Major),
		"wal_receiver_status_interval":    "1s",
		"wal_retrieve_retry_interval":     "100ms",
		"log_timezone":                    "UTC",
		"timezone":                        "UTC",
		"password_encryption":             o.PasswordEncryption,
		"checkpoint_timeout":              "1h",
	}
	maps.Copy(settings, o.Settings)
	if o.NoTLS {
		settings["ssl"] = "off"
	} else {
		settings["ssl"] = "on"
	}
	settings["listen_addresses"] = listen
	settings["port"] = fmt.Sprint(port)
	settings["unix_socket_directories"] = socketDirectory
	settings["unix_socket_permissions"] = "0700"
	settings["logging_collector"] = "off"
	return settings
}

// keepSetting is the setting that keeps old log, which 13 renamed.
func keepSetting(major int) string {
	if major < 13 {
		return "wal_keep_segments"
	}
	return "wal_keep_size"
}

func keepValue(major int) string {
	if major < 13 {
		return "8"
	}
	return "128MB"
}

// configuration is the text of postgresql.conf.
func configuration(settings map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s = '%s'\n", name, strings.ReplaceAll(settings[name], "'", "''"))
	}
	return text.String()
}

// hba is the text of pg_hba.conf.
func hba(lines []string) string {
	own := []string{
		"local all postgres trust",
		"local replication postgres trust",
		// The method md5 takes passwords kept for SCRAM as well.
		"host replication postgres 127.0.0.1/32 md5",
	}
	return strings.Join(append(own, lines...), "\n") + "\n"
}
