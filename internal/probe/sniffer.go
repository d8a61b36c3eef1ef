package probe

import (
	"encoding/binary"
	"io"
)

// The authentication requests that matter here, by the protocol's numbers.
const (
	authCleartext = 3
	authGSS       = 7
	authSSPI      = 9
)

// sniffer follows the frames that a server sends while it lets a session in, to
// tell what pgconn's errors do not: whether it said anything in the protocol's
// form, and which authentication it asked for last.
type sniffer struct {
	r     io.Reader
	head  [9]byte
	have  int
	skip  int
	spoke bool
	auth  uint32
}

func (s *sniffer) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.follow(p[:n])
	return n, err
}

func (s *sniffer) follow(b []byte) {
	const header, authHeader = 5, 9
	for len(b) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(b))
			s.skip -= n
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
		}
	}
}

// frame looks at a frame's type and length: only the start of an
// authentication request is read further.
func (s *sniffer) frame() {
	n := s.bodyLen()
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
