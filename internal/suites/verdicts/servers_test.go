package verdicts_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/headgate/headgate/internal/testkit/pgserver"
)

// maxIdleServers bounds the servers that are kept running for another scene.
const maxIdleServers = 8

// lease is a server, with a standby where the scene needs one, that one scene at
// a time has to itself.
type lease struct {
	key              string
	primary, standby *pgserver.Server
	authority        []byte
	certificate      certificateKind
	hba              string
	// dirty says that the server can't be used for another scene.
	dirty bool
}

// target is the server that is registered.
func (l *lease) target() *pgserver.Server {
	if l.standby != nil {
		return l.standby
	}
	return l.primary
}

func (l *lease) servers() []*pgserver.Server {
	if l.standby != nil {
		return []*pgserver.Server{l.standby, l.primary}
	}
	return []*pgserver.Server{l.primary}
}

func (l *lease) stop() {
	for _, s := range l.servers() {
		s.Stop()
	}
}

func (l *lease) reload(ctx context.Context) error {
	for _, s := range l.servers() {
		if err := s.Reload(ctx); err != nil {
			return err
		}
	}
	return nil
}

// certify gives the servers a certificate of this kind.
func (l *lease) certify(ctx context.Context, kind certificateKind) error {
	if l.certificate == kind {
		return nil
	}
	all, err := issued()
	if err != nil {
		return err
	}
	on := "on"
	if kind == noCertificate {
		on = "off"
	}
	for _, s := range l.servers() {
		data, err := s.Exec(ctx, "postgres", "SHOW data_directory")
		if err != nil {
			return err
		}
		c := all[kind]
		if kind == noCertificate {
			c = all[ecdsaCertificate] // in place for whoever turns TLS on
		}
		if err := errors.Join(overwrite(data, "server.crt", c.Certificate), overwrite(data, "server.key", c.Key),
			overwrite(data, "root.crt", c.Authority)); err != nil {
			return err
		}
		l.authority = c.Authority
		if strings.Contains(l.key, "allow_alter_system") {
			continue // ssl stays on
		}
		if err := errors.Join(s.Set(ctx, "ssl", on), s.Set(ctx, "ssl_ca_file", "root.crt")); err != nil {
			return err
		}
	}
	l.certificate = kind
	return l.reload(ctx)
}

// overwrite replaces a file of the server's, or makes it for the server's user.
func overwrite(data, name string, content []byte) error {
	path := filepath.Join(data, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write the server's %s: %w", name, err)
	}
	directory, err := os.Stat(data)
	if err != nil {
		return fmt.Errorf("look at the server's directory: %w", err)
	}
	owner, ok := directory.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("look at the server's directory: its owner is not known")
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}

func (l *lease) setHBA(ctx context.Context, lines []string) error {
	if text := strings.Join(lines, "\n"); l.hba != text {
		for _, s := range l.servers() {
			if err := s.SetHBA(ctx, append([]string{"local all all trust"}, lines...)...); err != nil {
				return err
			}
		}
		l.hba = text
	}
	return nil
}

// servers keeps servers running, by what they need.
type servers struct {
	installation pgserver.Installation
	mu           sync.Mutex
	idle         []*lease // the one used last is the last
	started      int
}

// get returns a server that meets the needs, and that nobody else has.
func (p *servers) get(ctx context.Context, n needs) (*lease, error) {
	key := n.key()
	p.mu.Lock()
	for i, l := range slices.Backward(p.idle) {
		if l.key == key {
			p.idle = slices.Delete(p.idle, i, i+1)
			p.mu.Unlock()
			return l, nil
		}
	}
	var surplus *lease
	if len(p.idle) >= maxIdleServers {
		surplus, p.idle = p.idle[0], p.idle[1:]
	}
	p.started++
	p.mu.Unlock()
	if surplus != nil {
		surplus.stop()
	}
	return p.start(ctx, n)
}

func (p *servers) start(ctx context.Context, n needs) (*lease, error) {
	settings := map[string]string{"max_wal_senders": "10", "max_replication_slots": "10", "autovacuum": "off", "shared_buffers": "16MB"}
	maps.Copy(settings, n.settings)
	primary, err := pgserver.Start(ctx, pgserver.Options{Installation: p.installation, Settings: settings, Arguments: n.arguments})
	if err != nil {
		return nil, err
	}
	l := &lease{key: n.key(), primary: primary}
	if n.standby != nil {
		l.standby, err = startStandby(ctx, primary, n.standby)
		if err != nil {
			primary.Stop()
			return nil, err
		}
	}
	return l, nil
}

// put gives a server back.
func (p *servers) put(l *lease) {
	if l.dirty {
		l.stop()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, l)
}

func (p *servers) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.idle {
		l.stop()
	}
	p.idle = nil
}
