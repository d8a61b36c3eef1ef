package devserver

import (
	"fmt"
	"strconv"

	"github.com/headgate/headgate/internal/apikey"
	"github.com/headgate/headgate/internal/egress"
)

// Config is what the environment says of a development server.
type Config struct {
	Port     int // 0 for one that the system picks
	DataFile string
	Key      apikey.Text
	Sample   bool
	Egress   egress.Policy
}

// nearby are the addresses that a development server may dial unless it is told
// otherwise: those of the machine and of the networks it is on.
const nearby = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7"

// Load reads PORT (8080), DATA_FILE (.local/headgate.db), API_KEY
// (local-development-key), SAMPLE (1) and EGRESS_ALLOW (loopback and private
// addresses). An error names the variable.
func Load(lookup func(string) string) (Config, error) {
	value := func(name, otherwise string) string {
		if v := lookup(name); v != "" {
			return v
		}
		return otherwise
	}
	c := Config{DataFile: value("DATA_FILE", ".local/headgate.db"), Key: apikey.Text(value("API_KEY", "local-development-key"))}
	port, err := strconv.ParseUint(value("PORT", "8080"), 10, 16)
	if err != nil {
		return c, fmt.Errorf("PORT is malformed: it must be between 0 and 65535")
	}
	c.Port = int(port)
	switch value("SAMPLE", "1") {
	case "1":
		c.Sample = true
	case "0":
	default:
		return c, fmt.Errorf("SAMPLE is malformed: it must be 0 or 1")
	}
	if c.Egress, err = egress.New(value("EGRESS_ALLOW", nearby), ""); err != nil {
		return c, fmt.Errorf("EGRESS_ALLOW is malformed: %w", err)
	}
	return c, nil
}
