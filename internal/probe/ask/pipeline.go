package ask

import (
	"bytes"
	"io"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pipeline is the writer that pgconn gets. It sends the session's first statement
// together with the last message of SCRAM, so that its answer comes back with the
// login's: one round trip less. The server reads the statement only after it has
// accepted the role; an impostor learns the names of a publication and a slot.
//
// Other logins are not pipelined: trust and certificates have no last message of
// the client, and md5 and cleartext passwords are not worth the code.
type pipeline struct {
	w     io.Writer
	sniff *sniffer
	// statement is the message to send early, empty for none.
	statement []byte
	// sent is true once the statement is on its way, asked once pgconn has written it
	// too. They are atomic because pgconn can send Terminate from a goroutine.
	sent, asked atomic.Bool
}

// newPipeline returns a pipeline for statement; without one it only writes through.
func newPipeline(w io.Writer, sniff *sniffer, statement string) (*pipeline, error) {
	p := &pipeline{w: w, sniff: sniff}
	if statement == "" {
		return p, nil
	}
	var err error
	p.statement, err = (&pgproto3.Query{String: statement}).Encode(nil)
	return p, err
}

func (p *pipeline) Write(b []byte) (int, error) {
	switch {
	case len(p.statement) == 0:
	case p.endsSCRAM(b):
		p.sent.Store(true)
		// One write, so that a server that rejects the role has read all of it: a reset
		// for unread data would overtake its answer.
		if _, err := p.w.Write(append(bytes.Clone(b), p.statement...)); err != nil {
			return 0, err
		}
		return len(b), nil
	case p.sent.Load() && !p.asked.Load() && bytes.Equal(b, p.statement):
		p.asked.Store(true)
		return len(b), nil
	}
	return p.w.Write(b)
}

// endsSCRAM reports whether b is the client's last message of SCRAM, as opposed to
// Terminate after a challenge that pgconn rejects.
func (p *pipeline) endsSCRAM(b []byte) bool {
	const authentication = 'p' // the type of the client's authentication messages
	return !p.sent.Load() && p.sniff.auth == authSASLContinue && len(b) > 0 && b[0] == authentication
}
