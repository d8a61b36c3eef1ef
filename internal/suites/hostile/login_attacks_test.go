package hostile_test

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// loginAttacks are about authentication and what the server tells about itself.
func loginAttacks() []attack {
	atLogin := []stage{onLogin}
	return []attack{
		{"odd request for authentication", atLogin, func(r *rand.Rand, honest [][]byte) reply {
			return reply{messages: oddRequests(r), then: pick(r, []ending{goOn, hang, hangUp})}
		}},
		{"requests for authentication without end", atLogin, func(r *rand.Rand, _ [][]byte) reply {
			return reply{messages: oddRequests(r), forever: true}
		}},
		{"request after the login", atLogin, func(r *rand.Rand, honest [][]byte) reply {
			return reply{messages: append(slices.Clone(honest), oddRequests(r)...)}
		}},
		{"refused login", atLogin, func(r *rand.Rand, _ [][]byte) reply {
			text := hostileText(r)
			return reply{messages: encode(&pgproto3.ErrorResponse{
				Severity: "FATAL", SeverityUnlocalized: pick(r, []string{"FATAL", text}), Code: pick(r, sqlstates()), Message: text, Detail: text, Hint: text,
				Routine: pick(r, []string{"", "InitializeSessionUserId", "CheckMyDatabase", "auth_failed", "ClientAuthentication", text}),
			}), then: pick(r, []ending{hangUp, hang})}
		}},
		{"odd parameters", atLogin, func(r *rand.Rand, honest [][]byte) reply {
			var odd [][]byte
			for range 1 + r.IntN(20) {
				odd = append(odd, encode(&pgproto3.ParameterStatus{Name: pick(r, []string{"server_version", "standard_conforming_strings", hostileText(r)}), Value: oddVersion(r)})...)
			}
			return reply{messages: slices.Insert(slices.Clone(honest), len(honest)-2, odd...)}
		}},
		{"flood of parameters", atLogin, func(r *rand.Rand, honest [][]byte) reply {
			var odd []byte
			for i := range 1 + r.IntN(50_000) {
				odd = append(odd, encode(&pgproto3.ParameterStatus{Name: strings.Repeat("p", i%100) + string(rune('a'+i%26)), Value: "v"})[0]...)
			}
			return reply{messages: slices.Insert(slices.Clone(honest), len(honest)-2, odd)}
		}},
	}
}

// oddRequests returns a request for authentication that a server could not make, or
// that must not be answered.
func oddRequests(r *rand.Rand) [][]byte {
	const mechanisms = 10_000
	switch r.IntN(10) {
	case 0:
		return encode(&pgproto3.AuthenticationCleartextPassword{})
	case 1:
		return encode(&pgproto3.AuthenticationMD5Password{Salt: [4]byte(randomBytes(r, 4))})
	case 2:
		return encode(&pgproto3.AuthenticationSASL{AuthMechanisms: slices.Repeat([]string{"SCRAM-SHA-1"}, mechanisms)})
	case 3:
		return encode(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}},
			&pgproto3.AuthenticationSASLContinue{Data: []byte(oddChallenge(r))})
	case 4:
		return encode(&pgproto3.AuthenticationSASLFinal{Data: []byte("v=" + hostileText(r))})
	case 5:
		return encode(&pgproto3.AuthenticationGSS{}, &pgproto3.AuthenticationGSSContinue{Data: randomBytes(r, 100)})
	case 6:
		return [][]byte{whole('R', []byte{0, 0, 0, byte(r.UintN(256))})} // a kind that does not exist
	case 7:
		return [][]byte{whole('R', randomBytes(r, r.IntN(20)))}
	case 8:
		return encode(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: r.Uint32(), UnrecognizedOptions: slices.Repeat([]string{"_pq_.x"}, 1000)})
	}
	return encode(&pgproto3.AuthenticationSASLContinue{Data: []byte(oddChallenge(r))})
}

// oddChallenge returns a challenge of SCRAM that is wrong.
func oddChallenge(r *rand.Rand) string {
	return pick(r, []string{
		"", "r=", "r=x,s=,i=1", "r=x,s=c2FsdA==,i=0", "r=x,s=c2FsdA==,i=-1", "r=x,s=c2FsdA==,i=1000000000", "r=x,s=" + strings.Repeat("A", 500_000) + ",i=4096",
		"r=" + strings.Repeat("x", 500_000) + ",s=c2FsdA==,i=4096", "e=other-error", "m=x,r=x,s=c2FsdA==,i=1", hostileText(r),
	})
}

// oddVersion returns a value of server_version.
func oddVersion(r *rand.Rand) string {
	return pick(r, []string{
		"", "16", "0", "-1", "99999999999999999999", "9.6.1", "11.22", "1e9", "16.1 (\x1b[2J)", "sixteen", "16." + strings.Repeat("1", 300_000),
		"１６.1", "\x0016", hostileText(r),
	})
}
