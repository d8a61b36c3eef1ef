package ask

import (
	"bytes"
	"io"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pipeline is the writer that pgconn gets. It sends a flight, which is a sequence of
// statements, in one write: all of it goes to the server before the first answer is
// read. pgconn then writes the same statements one by one, and those writes are
// dropped.
//
// The first flight is sent together with the last message of SCRAM, so that its
// answers come back with the login's: one round trip less. The server reads the
// statements only after it has accepted the role; an impostor learns the names of a
// publication and a slot. With other logins the first flight follows the login: trust
// and certificates have no last message of the client, and md5 and cleartext
// passwords are not worth the code.
type pipeline struct {
	w     io.Writer
	sniff *sniffer

	// mu is needed because pgconn can send Terminate from a goroutine.
	mu sync.Mutex
	// flight has the messages that pgconn has yet to write.
	flight [][]byte
	// sent is whether they are on their way already.
	sent bool
}

// load makes statements the next flight. It does nothing if a flight is on its way.
func (p *pipeline) load(statements []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent {
		return nil
	}
	p.flight = nil
	for _, sql := range statements {
		message, err := (&pgproto3.Query{String: sql}).Encode(nil)
		if err != nil {
			return err
		}
		p.flight = append(p.flight, message)
	}
	return nil
}

func (p *pipeline) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(p.flight) == 0:
	case p.endsSCRAM(b):
		// One write, so that a server that rejects the role has read all of it: a reset
		// for unread data would overtake its answer.
		return len(b), p.send(b)
	case bytes.Equal(b, p.flight[0]):
		if !p.sent {
			if err := p.send(nil); err != nil {
				return 0, err
			}
		}
		p.flight = p.flight[1:]
		p.sent = len(p.flight) > 0
		return len(b), nil
	}
	return p.w.Write(b)
}

// send writes before and the flight.
func (p *pipeline) send(before []byte) error {
	p.sent = true
	_, err := p.w.Write(append(bytes.Clone(before), bytes.Join(p.flight, nil)...))
	return err
}

// wasSent reports whether a flight is on its way.
func (p *pipeline) wasSent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// endsSCRAM reports whether b is the client's last message of SCRAM, as opposed to
// Terminate after a challenge that pgconn rejects.
func (p *pipeline) endsSCRAM(b []byte) bool {
	const authentication = 'p' // the type of the client's authentication messages
	return !p.sent && p.sniff.auth == authSASLContinue && len(b) > 0 && b[0] == authentication
}
