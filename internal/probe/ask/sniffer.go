package ask

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	"github.com/headgate/headgate/internal/probe/facts"
)

// The protocol's numbers of authentication requests.
const (
	authOK           = 0
	authCleartext    = 3
	authMD5          = 5
	authGSS          = 7
	authSSPI         = 9
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
)

// maxIterations bounds the iterations of SCRAM. PostgreSQL's default is 4096; ten
// million would take longer than a probe, and pgconn does not stop at a deadline.
const maxIterations = 1_000_000

// maxMessages bounds the messages of a server in one session: an honest one sends
// a few dozen.
const maxMessages = 10_000

// errIterations ends the reads of a session with too many iterations of SCRAM.
var errIterations = errors.New("read SCRAM challenge: too many iterations")

// sniffer is a reader that follows the server's messages, to learn what pgconn's
// errors do not say: whether the server sent anything in the protocol's form, and
// which authentication it requested last. It ends a session that exceeds a limit.
type sniffer struct {
	r     io.Reader
	head  [9]byte
	have  int
	skip  int
	count int
	max   int // messages that the server may send
	spoke bool
	auth  uint32
	// requested is the last auth that is not authOK.
	requested uint32
	scram     []byte // the end of SCRAM's challenge while it is read, else nil
	err       error
}

func (s *sniffer) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.follow(p[:n])
	if s.err != nil {
		return 0, s.err
	}
	return n, err
}

func (s *sniffer) follow(b []byte) {
	const header, authHeader = 5, 9
	for len(b) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(b))
			s.pass(b[:n])
			b = b[n:]
			continue
		}
		s.head[s.have] = b[0]
		s.have++
		b = b[1:]
		if s.have == header {
			s.frame()
		}
		if s.have == authHeader {
			if s.auth = binary.BigEndian.Uint32(s.head[5:9]); s.auth != authOK {
				s.requested = s.auth
			}
			s.skip = s.bodyLen() - 4
			s.have = 0
			s.scram = nil
			if s.auth == authSASLContinue {
				s.scram = []byte{}
			}
		}
	}
}

// pass consumes the rest of a message.
func (s *sniffer) pass(b []byte) {
	s.skip -= len(b)
	if s.scram == nil {
		return
	}
	const tail = 32 // enough for ,i= and a number
	s.scram = append(s.scram, b[max(0, len(b)-tail):]...)
	s.scram = s.scram[max(0, len(s.scram)-tail):]
	if s.skip > 0 {
		return
	}
	_, number, _ := bytes.Cut(s.scram, []byte(",i="))
	if n, err := strconv.Atoi(string(number)); err != nil || n > maxIterations {
		s.err = errIterations
	}
	s.scram = nil
}

// frame reads a message's type and length. Only the start of an authentication
// request is read further.
func (s *sniffer) frame() {
	n := s.bodyLen()
	if s.count++; s.count > s.max {
		s.err = errFlood
	}
	if s.head[0] == 'R' && n >= 4 {
		s.spoke = true
		return
	}
	s.spoke = s.spoke || s.head[0] == 'E' || s.head[0] == 'N' || s.head[0] == 'v'
	s.skip, s.have = max(n, 0), 0
}

func (s *sniffer) bodyLen() int {
	return int(int32(binary.BigEndian.Uint32(s.head[1:5]))) - 4
}

// request returns the server's authentication request.
func (s *sniffer) request() facts.AuthRequest {
	switch s.requested {
	case 0:
		return facts.NoAuthRequest
	case authCleartext:
		return facts.CleartextRequest
	case authMD5:
		return facts.MD5Request
	case authSASL, authSASLContinue, authSASLFinal:
		return facts.SCRAMRequest
	}
	return facts.OtherRequest
}
