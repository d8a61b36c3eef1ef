package devserver

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/awsenv"
	"github.com/headgate/headgate/internal/database"
	"github.com/headgate/headgate/internal/egress"
)

// Config is the configuration of a development server.
type Config struct {
	Address  netip.AddrPort // port 0 stands for one that the system picks
	DataFile string
	Key      apikey.Text
	Sample   bool
	Egress   egress.Policy
	// CheckEvery is the time from one check of the registered databases to the next, 0
	// for none.
	CheckEvery time.Duration
	// HealthLimits are the limits of retained WAL.
	HealthLimits database.HealthLimits
	// ReadTimeout bounds the arrival of a request, from its first byte to its last.
	ReadTimeout time.Duration
}

// minCheckEvery is the shortest time between checks. A check can take 10 seconds.
const minCheckEvery = time.Second

const defaultReadTimeout = 15 * time.Second

// defaultEgressAllow allows loopback and the private networks.
const defaultEgressAllow = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7"

// Load reads LISTEN_ADDRESS (127.0.0.1), PORT (8080), DATA_FILE
// (.local/headgate.db), API_KEY (local-development-key), SAMPLE (1),
// EGRESS_ALLOW (loopback and private networks), CHECK_EVERY (a Go duration; no checks),
// HEALTH_RETAINED_MB and HEALTH_SAFE_PERCENT. An error names the variable.
func Load(lookup func(string) string) (Config, error) {
	c := Config{
		DataFile:    cmp.Or(lookup("DATA_FILE"), ".local/headgate.db"),
		Key:         apikey.Text(cmp.Or(lookup("API_KEY"), "local-development-key")),
		ReadTimeout: defaultReadTimeout,
	}
	ip, err := netip.ParseAddr(cmp.Or(lookup("LISTEN_ADDRESS"), "127.0.0.1"))
	if err != nil {
		return c, fmt.Errorf("LISTEN_ADDRESS is malformed: it must be an IP address of this machine")
	}
	port, err := strconv.ParseUint(cmp.Or(lookup("PORT"), "8080"), 10, 16)
	if err != nil {
		return c, fmt.Errorf("PORT is malformed: it must be between 0 and 65535")
	}
	c.Address = netip.AddrPortFrom(ip, uint16(port))
	switch cmp.Or(lookup("SAMPLE"), "1") {
	case "1":
		c.Sample = true
	case "0":
	default:
		return c, fmt.Errorf("SAMPLE is malformed: it must be 0 or 1")
	}
	if c.Egress, err = egress.New(cmp.Or(lookup("EGRESS_ALLOW"), defaultEgressAllow), ""); err != nil {
		return c, fmt.Errorf("EGRESS_ALLOW is malformed: %w", err)
	}
	if every := lookup("CHECK_EVERY"); every != "" {
		if c.CheckEvery, err = time.ParseDuration(every); err != nil || c.CheckEvery < minCheckEvery {
			return c, fmt.Errorf("CHECK_EVERY is malformed: it must be a duration of at least %s, such as 30s", minCheckEvery)
		}
	}
	c.HealthLimits, err = awsenv.New(lookup).HealthLimits()
	return c, err
}
