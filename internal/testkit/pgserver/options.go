package pgserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/testkit/certificates"
)

// Options configure a server. The zero value suits most tests.
type Options struct {
	// Installation has the programs to run; the zero value means FindOrInstall's.
	Installation Installation
	// Settings override the settings of postgresql.conf by name. The defaults
	// are wal_level logical, max_wal_senders 20, max_replication_slots 40,
	// max_connections 100 and no fsync.
	Settings map[string]string
	// HBA has the lines of pg_hba.conf, without line ends. nil means trust for local
	// connections and scram-sha-256 for those from 127.0.0.1 and ::1. Lines for the
	// superuser on the server's private Unix socket and for standbys always precede
	// them.
	HBA   []string
	NoTLS bool // turns TLS off
	// Certificates are the server's; the zero value means certificates.New's without
	// options. The authority's certificate is root.crt in the data directory.
	Certificates certificates.Chain
	// PasswordEncryption is scram-sha-256 (the default) or md5.
	PasswordEncryption string
	// Arguments are added to the server's command line, where settings win over
	// every file: -c wal_level=replica.
	Arguments []string
	// PrimarySlot is the name of the physical replication slot that StartStandby
	// creates on the primary; empty means none.
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

// settings returns the server's settings: defaults, overridden by the caller's,
// overridden by those that this package depends on.
func (o Options) settings(listen, socketDirectory string, port int) map[string]string {
	settings := map[string]string{
		"wal_level":             "logical",
		"max_wal_senders":       "20",
		"max_replication_slots": "40",
		"max_connections":       "100",
		// The data need not survive a crash of the machine. synchronous_commit stays
		// on: a test's committed changes can be decoded at once.
		"fsync":            "off",
		"full_page_writes": "off",
		"shared_buffers":   "32MB",
		"min_wal_size":     "32MB",
		"max_wal_size":     "256MB",
		"jit":              "off",
		// Keep the WAL that a starting standby needs.
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

// keepSetting returns the name of the setting that keeps old WAL, which version 13
// changed.
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

// configuration returns the text of postgresql.conf.
func configuration(settings map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s = %s\n", name, quoteLiteral(settings[name]))
	}
	return text.String()
}

// hba returns the text of pg_hba.conf.
func hba(lines []string) string {
	own := []string{
		"local all postgres trust",
		"local replication postgres trust",
		// The method md5 accepts passwords stored for SCRAM too.
		"host replication postgres 127.0.0.1/32 md5",
	}
	return strings.Join(append(own, lines...), "\n") + "\n"
}
