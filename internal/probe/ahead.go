package probe

import (
	"bytes"
	"io"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"
)

// ahead is where pgconn writes to. It sends the session's first statement along
// with the last message of SCRAM, so that the answer comes back with that to the
// login: one round trip less. A server reads the statement when it has let the
// role in. What an impostor learns by it is the names of a publication and a slot.
//
// Nothing is sent ahead for other ways to log in, which have no message of the
// client's to end with (trust, a certificate) or are not worth it (md5, a password
// in cleartext).
type ahead struct {
	w     io.Writer
	sniff *sniffer
	// statement is the message that is sent ahead, empty for none.
	statement []byte
	// pgconn may take leave of a server in a goroutine: so these are atomic. Sent
	// is set once the statement is on its way, asked once pgconn has asked for it.
	sent, asked atomic.Bool
}

// newAhead sends no statement ahead where it is empty.
func newAhead(w io.Writer, sniff *sniffer, statement string) (*ahead, error) {
	a := &ahead{w: w, sniff: sniff}
	if statement == "" {
		return a, nil
	}
	var err error
	a.statement, err = (&pgproto3.Query{String: statement}).Encode(nil)
	return a, err
}

func (a *ahead) Write(p []byte) (int, error) {
	switch {
	case len(a.statement) == 0:
	case a.endsSCRAM(p):
		a.sent.Store(true)
		// In one write, so that a server that refuses the role has read all of it:
		// what it leaves unread would have its answer overtaken by a reset.
		if _, err := a.w.Write(append(bytes.Clone(p), a.statement...)); err != nil {
			return 0, err
		}
		return len(p), nil
	case a.sent.Load() && !a.asked.Load() && bytes.Equal(p, a.statement):
		a.asked.Store(true)
		return len(p), nil
	}
	return a.w.Write(p)
}

// endsSCRAM tells whether p is the client's last message of SCRAM, and not the
// farewell to a server whose challenge was refused.
func (a *ahead) endsSCRAM(p []byte) bool {
	const authentication = 'p' // the type of all messages of the client's for it
	return !a.sent.Load() && a.sniff.auth == authSASLContinue && len(p) > 0 && p[0] == authentication
}
