package hostile_test

import (
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// answerAttacks are answers in the protocol's form that no server would give.
func answerAttacks() []attack {
	onAnswer := []stage{onQuery}
	return []attack{
		{"odd facts", onAnswer, func(r *rand.Rand, honest [][]byte) reply { return reply{messages: oddFacts(r, honest, 1+r.IntN(4))} }},
		{"odd facts everywhere", onAnswer, func(r *rand.Rand, honest [][]byte) reply { return reply{messages: oddFacts(r, honest, 200)} }},
		{"odd names in the facts", onAnswer, func(r *rand.Rand, honest [][]byte) reply {
			return reply{messages: factsOf(honest, func(v any) any { return rename(r, v) })}
		}},
		{"error", onAnswer, func(r *rand.Rand, _ [][]byte) reply {
			text := hostileText(r)
			return reply{messages: failed(pgproto3.ErrorResponse{
				Severity: "ERROR", SeverityUnlocalized: pick(r, []string{"ERROR", "FATAL", text}), Code: pick(r, sqlstates()), Message: text, Detail: text, Routine: text,
			})}
		}},
		{"value that is no JSON", onAnswer, func(r *rand.Rand, _ [][]byte) reply {
			return reply{messages: value(pick(r, []string{"", "{", "null", "[]", "1e999", `{"server":`, strings.Repeat("[", 400_000), strings.Repeat(`{"a":`, 100_000), hostileText(r)}))}
		}},
		{"no rows", onAnswer, func(*rand.Rand, [][]byte) reply { return reply{messages: rows()} }},
		{"rows of another shape", onAnswer, func(r *rand.Rand, _ [][]byte) reply {
			row := slices.Repeat([]string{"x"}, r.IntN(1600))
			return reply{messages: rows(slices.Repeat([][]string{row}, 1+r.IntN(5))...)}
		}},
		{"list of odd tables", onAnswer, func(r *rand.Rand, honest [][]byte) reply {
			names := hostileNames(r, "/tmp/x", 70)
			if r.IntN(2) == 0 {
				names = []string{strings.Repeat(pick(r, []string{`"`, "\x01", "\u202e", "<", "x"}), pick(r, []int{1, 21, 63, 512, 100_000}))}
			}
			const maxBytes = 12 << 20
			all := make([][2]string, min(pick(r, []int{1, 100, 50_000, 55_000}), maxBytes/len(names[0])))
			for i := range all {
				all[i] = [2]string{names[i%len(names)], names[(i*7)%len(names)]}
			}
			return reply{messages: [][]byte{slices.Concat(withNames(honest, all)...)}}
		}},
	}
}

// oddFacts returns the answer with some of its values replaced. Another answer than
// one JSON document stays as it is.
func oddFacts(r *rand.Rand, honest [][]byte, changes int) [][]byte {
	return factsOf(honest, func(document any) any {
		for range changes {
			document = change(r, document)
		}
		return document
	})
}

// factsOf returns an answer that is one JSON document, altered.
func factsOf(honest [][]byte, alter func(any) any) [][]byte {
	text, ok := onlyValue(honest)
	var document any
	if !ok || json.Unmarshal([]byte(text), &document) != nil {
		return honest
	}
	altered := alter(document)
	if size(altered, maxFacts) < 0 {
		return honest
	}
	changed, err := json.Marshal(altered)
	if err != nil {
		return honest
	}
	return value(string(changed))
}

// maxFacts bounds a document, in bytes: lists in lists grow without end, and headgate
// reads 2 MiB of a session.
const maxFacts = 8 << 20

// size returns what is left of a number of bytes after a document, less than 0 where
// it is larger.
func size(v any, left int) int {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if left = size(member, left-len(name)); left < 0 {
				break
			}
		}
	case []any:
		for _, item := range v {
			if left = size(item, left-1); left < 0 {
				break
			}
		}
	case string:
		left -= len(v)
	}
	return left
}

// change replaces one value somewhere in a JSON document.
func change(r *rand.Rand, v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 || r.IntN(12) == 0 {
			break
		}
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		name := pick(r, names)
		if r.IntN(20) == 0 {
			delete(v, name)
			return v
		}
		v[name] = change(r, v[name])
		return v
	case []any:
		if len(v) == 0 || r.IntN(4) == 0 {
			break
		}
		i := r.IntN(len(v))
		v[i] = change(r, v[i])
		return v
	case string:
		if r.IntN(2) == 0 {
			return oddString(r)
		}
	}
	return oddValue(r)
}

// rename replaces about half of the texts of a document by names that a server can
// have, and lengthens its lists.
func rename(r *rand.Rand, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			v[name] = rename(r, v[name])
		}
	case []any:
		for i := range v {
			v[i] = rename(r, v[i])
		}
		if _, nested := any(v).([]any); nested && len(v) > 0 && len(v) < 20 && r.IntN(2) == 0 {
			if _, list := v[0].([]any); list {
				return slices.Repeat(v, 20/len(v))
			}
		}
	case string:
		if r.IntN(2) == 0 {
			return pick(r, []string{
				hostileNames(r, "/tmp/x", 80)[0], strings.Repeat("\"", 63), strings.Repeat("\"", 512), strings.Repeat("\u202e", 21), strings.Repeat("\x01", 63),
			})
		}
	}
	return v
}

func oddString(r *rand.Rand) string {
	switch r.IntN(8) {
	case 0:
		return strings.Repeat("x", 400_000)
	case 1:
		return strings.Repeat(pick(r, []string{`"`, "\x01", "\u202e", "\u2028"}), pick(r, []int{63, 170, 512}))
	case 2, 3:
		return strings.ToValidUTF8(hostileText(r), "?")
	}
	return pick(r, []string{"\x00", "pgoutput", "physical", "lost", "-1", "99999999999", "0/0", "logical", "walsender", "replica"})
}

func oddValue(r *rand.Rand) any {
	switch r.IntN(6) {
	case 0:
		return oddString(r)
	case 1:
		quotes := strings.Repeat(`"`, pick(r, []int{1, 63, 512, 513}))
		return slices.Repeat([]any{slices.Repeat([]any{quotes}, 1+r.IntN(2))}, pick(r, []int{1, 20, 21, 300}))
	case 2:
		if r.IntN(10) == 0 {
			return slices.Repeat([]any{1}, 100_000)
		}
	}
	return pick(r, []any{
		nil, true, false, -1, 0, 1, math.MaxInt32, math.MinInt64, uint64(math.MaxUint64), 1e308, 0.5, "",
		[]any{},
		map[string]any{},
		map[string]any{"found": nil},
		map[string]any{"found": map[string]any{}},
	})
}
