package hostile_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// attack is one way of being hostile. It alters the messages of one moment.
type attack struct {
	name string
	// at are the stages at which it can be tried.
	at    []stage
	alter func(r *rand.Rand, honest [][]byte) reply
}

func everywhere() []stage { return []stage{onAccept, onTLS, onLogin, onQuery} }
func inSession() []stage  { return []stage{onLogin, onQuery} }

// attacks on the transport know nothing about the protocol.
func transportAttacks() []attack {
	silent := func(then ending) func(*rand.Rand, [][]byte) reply {
		return func(*rand.Rand, [][]byte) reply { return reply{then: then} }
	}
	text := func(s string) func(*rand.Rand, [][]byte) reply {
		return func(*rand.Rand, [][]byte) reply { return reply{messages: [][]byte{[]byte(s)}, then: hang} }
	}
	return []attack{
		{"silence", everywhere(), silent(hang)},
		{"hang up", everywhere(), silent(hangUp)},
		{"HTTP", []stage{onAccept, onTLS}, text("HTTP/1.1 400 Bad Request\r\nServer: \x1b[2J\r\n\r\n")},
		{"SSH", []stage{onAccept, onTLS}, text("SSH-2.0-OpenSSH_9.9\r\n")},
		{"redis", []stage{onAccept, onTLS}, text("-ERR unknown command\r\n")},
		{"TLS at once", []stage{onAccept, onTLS}, text("S\x16\x03\x03\x00\x02\x02\x28")},
		{"error instead of TLS", []stage{onTLS}, text("E\x00\x00\x00\x10SFATAL\x00C53300\x00\x00")},
		{"garbage", everywhere(), func(r *rand.Rand, _ [][]byte) reply {
			return reply{messages: [][]byte{randomBytes(r, 1+r.IntN(1<<14))}, then: ending(r.IntN(3))}
		}},
		{"endless garbage", everywhere(), func(r *rand.Rand, _ [][]byte) reply {
			return reply{messages: [][]byte{randomBytes(r, 1<<16)}, forever: true}
		}},
		{"drip", []stage{onLogin, onQuery}, func(r *rand.Rand, honest [][]byte) reply {
			return reply{messages: honest, pause: time.Duration(5+r.IntN(300)) * time.Millisecond}
		}},
		{"endless drip", everywhere(), func(*rand.Rand, [][]byte) reply {
			return reply{messages: encode(&pgproto3.NoticeResponse{Severity: "NOTICE", Message: "wait"}), pause: 20 * time.Millisecond, forever: true}
		}},
	}
}

// streamAttacks change honest messages.
func streamAttacks() []attack {
	return []attack{
		{"truncated", inSession(), func(r *rand.Rand, honest [][]byte) reply {
			all := slices.Concat(honest...)
			return reply{messages: [][]byte{all[:r.IntN(len(all))]}, then: pick(r, []ending{hang, hangUp})}
		}},
		{"flipped bits", inSession(), func(r *rand.Rand, honest [][]byte) reply {
			all := slices.Concat(honest...)
			for range 1 + r.IntN(8) {
				all[r.IntN(len(all))] ^= 1 << r.IntN(8)
			}
			return reply{messages: [][]byte{all}}
		}},
		{"dropped message", inSession(), func(r *rand.Rand, honest [][]byte) reply {
			i := r.IntN(len(honest))
			return reply{messages: slices.Delete(slices.Clone(honest), i, i+1)}
		}},
		{"doubled message", inSession(), func(r *rand.Rand, honest [][]byte) reply {
			i := r.IntN(len(honest))
			return reply{messages: slices.Insert(slices.Clone(honest), i, honest[i])}
		}},
		{"another order", inSession(), func(r *rand.Rand, honest [][]byte) reply {
			mixed := slices.Clone(honest)
			r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			return reply{messages: mixed}
		}},
		{"wrong length", inSession(), func(r *rand.Rand, honest [][]byte) reply {
			mixed := slices.Clone(honest)
			i := r.IntN(len(mixed))
			length := pick(r, []uint32{0, 1, 3, 4, 5, 1 << 20, 1<<20 + 1, 1 << 30, 1<<31 - 1, 1 << 31, 1<<32 - 1})
			mixed[i] = raw(mixed[i][0], length, mixed[i][5:])
			return reply{messages: mixed, then: pick(r, []ending{goOn, hang, hangUp})}
		}},
		{"wrong type", inSession(), func(r *rand.Rand, honest [][]byte) reply {
			mixed := slices.Clone(honest)
			i := r.IntN(len(mixed))
			mixed[i] = whole(byte(r.IntN(256)), mixed[i][5:])
			return reply{messages: mixed}
		}},
		{"foreign message", inSession(), func(r *rand.Rand, honest [][]byte) reply {
			return reply{messages: slices.Insert(slices.Clone(honest), r.IntN(len(honest)+1), encode(pick(r, foreign(r)))...)}
		}},
		{"many foreign messages", inSession(), func(r *rand.Rand, honest [][]byte) reply {
			many := repeated(encode(pick(r, foreign(r)))[0], 1+r.IntN(30_000))
			return reply{messages: slices.Insert(slices.Clone(honest), r.IntN(len(honest)), many)}
		}},
		{"endless foreign messages", inSession(), func(r *rand.Rand, _ [][]byte) reply {
			return reply{messages: [][]byte{repeated(encode(pick(r, foreign(r)))[0], 1000)}, forever: true}
		}},
	}
}

// repeated returns n copies of a message, or as many as fit into 3 MiB.
func repeated(message []byte, n int) []byte {
	const maxBytes = 3 << 20
	return bytes.Repeat(message, max(1, min(n, maxBytes/len(message))))
}

// foreign returns messages that do not belong where they are sent.
func foreign(r *rand.Rand) []pgproto3.BackendMessage {
	text := hostileText(r)
	return []pgproto3.BackendMessage{
		&pgproto3.NoticeResponse{Severity: text, Code: text, Message: text, Detail: text, Hint: text, Routine: text},
		&pgproto3.NoticeResponse{},
		&pgproto3.ParameterStatus{Name: pick(r, []string{"server_version", "client_encoding", "session_authorization", "in_hot_standby", text}), Value: text},
		&pgproto3.NotificationResponse{PID: 1, Channel: text, Payload: text},
		&pgproto3.ErrorResponse{Severity: "ERROR", Code: pick(r, sqlstates()), Message: text, Routine: pick(r, []string{"", "auth_failed", text})},
		&pgproto3.DataRow{Values: [][]byte{[]byte(text), nil, []byte(text)}},
		&pgproto3.RowDescription{},
		&pgproto3.CommandComplete{CommandTag: []byte(text)},
		&pgproto3.ReadyForQuery{TxStatus: pick(r, []byte{'I', 'T', 'E', 'x', 0})},
		&pgproto3.EmptyQueryResponse{},
		&pgproto3.CopyOutResponse{}, &pgproto3.CopyBothResponse{}, &pgproto3.CopyInResponse{}, &pgproto3.CopyData{Data: []byte(text)}, &pgproto3.CopyDone{},
		&pgproto3.BackendKeyData{ProcessID: r.Uint32(), SecretKey: []byte(text)[:min(len(text), 200)]},
		&pgproto3.AuthenticationOk{}, &pgproto3.AuthenticationCleartextPassword{}, &pgproto3.AuthenticationMD5Password{},
		&pgproto3.AuthenticationGSS{}, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256", text}},
		&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: 9, UnrecognizedOptions: []string{text}},
		&pgproto3.ParseComplete{}, &pgproto3.BindComplete{}, &pgproto3.PortalSuspended{}, &pgproto3.NoData{},
	}
}

// hostileText returns a text that is long, or that does not belong into a message.
func hostileText(r *rand.Rand) string {
	switch r.IntN(6) {
	case 0:
		return strings.Repeat(pick(r, []string{"x", `"`, "\x01", "\u202e", "名"}), pick(r, []int{1, 63, 512, 1000, 100_000, 300_000}))
	case 1:
		return string(randomBytes(r, r.IntN(200)))
	case 2:
		return ""
	}
	return hostileNames(r, "/tmp/x", 80)[0]
}

// sqlstates returns the codes by which something is decided, and others.
func sqlstates() []string {
	return []string{
		"28P01", "28000", "3D000", "42501", "53300", "53200", "57P03", "57P01", "55000", "55006", "08P01", "0A000", "22012", "25006", "42704",
		"42883", "XX000", "00000", "", "\x01\x02", "'; --", strings.Repeat("9", 1000), "5700\u202e",
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.UintN(256))
	}
	return b
}
