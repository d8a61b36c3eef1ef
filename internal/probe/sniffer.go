package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
)

// The authentication requests that matter here, by the protocol's numbers.
const (
	authCleartext    = 3
	authGSS          = 7
	authSSPI         = 9
	authSASLContinue = 11
)

// mostIterations bounds what a server may make a proof of the password cost:
// Postgres's own default is 4096, and ten million would take longer than a
// probe may, whatever its deadline.
const mostIterations = 1_000_000

// mostMessages bounds what a server may say in one session: an honest one needs
// a few dozen messages.
const mostMessages = 10_000

// errIterations is what reading gives where the server asks for more.
var errIterations = errors.New("the server asks for too many iterations of SCRAM")

// sniffer follows the messages that a server sends, to tell what pgconn's errors
// do not: whether it said anything in the protocol's form, and which
// authentication it asked for last. It ends a session in which the server goes
// too far.
type sniffer struct {
	r     io.Reader
	head  [9]byte
	have  int
	skip  int
	count int
	most  int // messages that the server may send
	spoke bool
	auth  uint32
	scram []byte // the end of SCRAM's challenge, while that is read
	err   error
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
			s.auth = binary.BigEndian.Uint32(s.head[5:9])
			s.skip = s.bodyLen() - 4
			s.have = 0
			s.scram = nil
			if s.auth == authSASLContinue {
				s.scram = []byte{}
			}
		}
	}
}

// pass goes over the rest of a frame.
func (s *sniffer) pass(b []byte) {
	s.skip -= len(b)
	if s.scram == nil {
		return
	}
	const most = 32 // enough for ,i= and a number
	s.scram = append(s.scram, b[max(0, len(b)-most):]...)
	s.scram = s.scram[max(0, len(s.scram)-most):]
	if s.skip > 0 {
		return
	}
	_, number, _ := bytes.Cut(s.scram, []byte(",i="))
	if n, err := strconv.Atoi(string(number)); err != nil || n > mostIterations {
		s.err = errIterations
	}
	s.scram = nil
}

// frame looks at a frame's type and length: only the start of an
// authentication request is read further.
func (s *sniffer) frame() {
	n := s.bodyLen()
	if s.count++; s.count > s.most {
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
