package hostile_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	bolt "go.etcd.io/bbolt"

	"github.com/headgate/headgate/internal/testkit/gateway"
)

// echo is a place in which a server can repeat a text.
type echo struct {
	name string
	// alter returns the messages of a moment, with the text in them.
	alter func(text string, m moment, honest [][]byte) [][]byte
}

func echoes() []echo {
	all := []echo{
		{"parameters", func(text string, m moment, honest [][]byte) [][]byte {
			if m.stage != onLogin {
				return honest
			}
			odd := encode(&pgproto3.ParameterStatus{Name: text, Value: text}, &pgproto3.ParameterStatus{Name: "server_version", Value: text})
			return slices.Insert(slices.Clone(honest), len(honest)-2, odd...)
		}},
		{"facts", func(text string, m moment, honest [][]byte) [][]byte { return factsOf(honest, everyText(text, true)) }},
		{"facts that pass", func(text string, m moment, honest [][]byte) [][]byte { return factsOf(honest, everyText(text, false)) }},
		{"rows", func(text string, m moment, honest [][]byte) [][]byte {
			if !listsTables(m) {
				return honest
			}
			return withNames(honest, [][2]string{{text, text}, {"public", text}})
		}},
		{"notices", func(text string, m moment, honest [][]byte) [][]byte {
			n := pgproto3.NoticeResponse(errorOf(text, "01000"))
			return append(encode(&n, &pgproto3.NotificationResponse{Channel: text, Payload: text}), honest...)
		}},
	}
	for _, sqlstate := range []string{"28P01", "28000", "53300", "57P03", "42501", "XX000", "08P01", ""} {
		all = append(all, echo{"login refused with " + sqlstate, func(text string, m moment, honest [][]byte) [][]byte {
			if m.stage != onLogin {
				return honest
			}
			e := errorOf(text, sqlstate)
			return encode(&e)
		}}, echo{"statements refused with " + sqlstate, func(text string, m moment, honest [][]byte) [][]byte {
			if m.number == 0 {
				return honest
			}
			return failed(errorOf(text, sqlstate))
		}})
	}
	return all
}

// errorOf returns an error with the text in every field; the SQLSTATE is the text
// where none is given.
func errorOf(text, sqlstate string) pgproto3.ErrorResponse {
	if sqlstate == "" {
		sqlstate = text
	}
	return pgproto3.ErrorResponse{
		Severity: text, SeverityUnlocalized: "FATAL", Code: sqlstate, Message: text, Detail: text, Hint: text, InternalQuery: text, Where: text,
		SchemaName: text, TableName: text, ColumnName: text, DataTypeName: text, ConstraintName: text, File: text, Routine: text,
	}
}

// everyText replaces the texts of a document. Those by which the checks decide are
// left where the target is to pass.
func everyText(text string, all bool) func(any) any {
	decides := []string{"wal_level", "effective_wal_level", "backend_type", "plugin", "slot_type", "database", "wal_status", "restart_lsn", "invalidation_reason"}
	var replace func(name string, v any) any
	replace = func(name string, v any) any {
		switch v := v.(type) {
		case map[string]any:
			for member := range v {
				v[member] = replace(member, v[member])
			}
		case []any:
			for i := range v {
				v[i] = replace(name, v[i])
			}
		case string:
			if !all && (slices.Contains(decides, name) || strings.HasPrefix(name, "max_")) {
				return v
			}
			return text
		}
		return v
	}
	return func(v any) any { return replace("", v) }
}

// TestEchoes_Forms shows that the search finds each form in what an answer makes of
// it.
func TestEchoes_Forms(t *testing.T) {
	t.Parallel()
	for _, e := range encodings() {
		for _, text := range []string{e.encode(planted), "x" + e.encode(planted) + "y", strings.ToUpper(e.encode(planted)), strings.ReplaceAll(asJSON(e.encode(planted)), `\n`, " ")} {
			if len(leaked(text)) == 0 {
				t.Errorf("%s is not found in %q", e.name, text)
			}
		}
	}
	if found := leaked("role cdc of database app may not read table orders"); len(found) > 0 {
		t.Errorf("%v found in a text without it", found)
	}
}

func TestEchoes(t *testing.T) {
	t.Parallel()
	o := newOracle(t, "a password")
	honest := (&pretender{oracle: o}).start(t)
	for _, place := range echoes() {
		t.Run(place.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, loopback, "")
			for _, form := range encodings() {
				total.add(echoesTried, 1)
				text := form.encode(planted)
				server := (&pretender{oracle: o, alter: func(m moment, honest [][]byte) reply {
					return reply{messages: place.alter(text, m, honest)}
				}}).start(t)
				s.listenFor(place, form, server, honest)
				server.stop()
			}
			s.searchFile()
		})
	}
}

// listenFor does every operation about a server that repeats the password, and
// searches for it.
func (s *stack) listenFor(place echo, form encoding, server, honest *pretender) {
	s.t.Helper()
	name := strings.ReplaceAll(form.name, " ", "-")
	payload := payloadOf(name, server.oracle.source, "127.0.0.1", server.port)
	payload["ssl"], payload["password"] = false, planted
	first := payloadOf(name+"-moved", honest.oracle.source, "127.0.0.1", honest.port)
	first["ssl"], first["password"] = false, planted
	moved := gateway.Collection + "/" + name + "-moved"
	answers := map[string]answer{
		"dry run": s.dryRun(payload), "create": s.send("POST", gateway.Collection, payload),
		"register": s.send("POST", gateway.Collection, first), "move": s.send("PATCH", moved+"?verify=false", map[string]any{"port": server.port}),
		"test_connection": s.send("POST", moved+"/test_connection", nil), "refresh_tables": s.send("POST", moved+"/refresh_tables", nil),
		"update": s.send("PATCH", moved, map[string]any{"username": "another"}), "list": s.send("GET", gateway.Collection, nil),
	}
	for operation, got := range answers {
		s.search("the answer of "+operation, place, form, got.body)
	}
	s.search("the log", place, form, s.log.String())
	s.log.Reset()
}

// search fails the test if the password is in a text.
func (s *stack) search(where string, place echo, form encoding, text string) {
	s.t.Helper()
	if found := leaked(text); len(found) > 0 {
		total.add(leaksFound, 1)
		s.fail("leak", "%s has the password (%s in %s) as %v: %s", where, form.name, place.name, found, cut(text))
	}
}

// searchFile searches what the local store keeps, except the secrets.
func (s *stack) searchFile() {
	s.t.Helper()
	copied := filepath.Join(s.t.TempDir(), "copy.db")
	if err := copyFile(s.file, copied); err != nil {
		s.t.Fatal(err)
	}
	db, err := bolt.Open(copied, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	buckets := 0
	if err := db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(bucket []byte, b *bolt.Bucket) error {
			if string(bucket) == "secrets" {
				return nil
			}
			buckets++
			return b.ForEach(func(k, v []byte) error {
				s.search("bucket "+string(bucket), echo{}, encoding{}, string(k)+" "+string(v))
				return nil
			})
		})
	}); err != nil || buckets == 0 {
		s.t.Fatalf("%d buckets, error %v", buckets, err)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// TestEchoes_Certificate has the password in the names of a certificate.
func TestEchoes_Certificate(t *testing.T) {
	t.Parallel()
	o := newOracle(t, "a password")
	s := newStack(t, loopback, "")
	for _, form := range encodings() {
		total.add(echoesTried, 1)
		text := form.encode(planted)
		server := (&pretender{oracle: o, tls: certificateNamed(t, text)}).start(t)
		payload := payloadOf("orders", o.source, "127.0.0.1", server.port)
		payload["password"], payload["ssl_mode"] = planted, "verify-full"
		got := s.dryRun(payload)
		s.search("the answer", echo{name: "certificate"}, form, got.body)
		server.stop()
	}
	s.search("the log", echo{name: "certificate"}, encoding{}, s.log.String())
}

func certificateNamed(t *testing.T, text string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name := pkix.Name{CommonName: text, Organization: []string{text}}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"db.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
