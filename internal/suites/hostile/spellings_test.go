package hostile_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// spellings returns ways to write an address as a host name. Not all of them are
// addresses to the API, but some library reads each as this one.
func spellings(a netip.Addr) []string {
	if a.Is4() {
		return spellingsIPv4(a)
	}
	b := a.As16()
	groups := make([]string, 0, 8)
	for i := 0; i < len(b); i += 2 {
		groups = append(groups, fmt.Sprintf("%x", binary.BigEndian.Uint16(b[i:])))
	}
	dotted := fmt.Sprintf("%d.%d.%d.%d", b[12], b[13], b[14], b[15])
	return []string{
		a.String(), a.StringExpanded(), strings.ToUpper(a.String()), strings.Join(groups, ":"),
		strings.Join(groups[:6], ":") + ":" + dotted,
		"[" + a.String() + "]", a.String() + "%lo", a.String() + "%251",
	}
}

func spellingsIPv4(a netip.Addr) []string {
	b := a.As4()
	n := binary.BigEndian.Uint32(b[:])
	low16, low24 := n&0xffff, n&0xffffff
	return []string{
		a.String(), a.String() + ".", "0" + a.String(),
		fmt.Sprintf("%d", n), fmt.Sprintf("%#x", n), fmt.Sprintf("%#o", n),
		fmt.Sprintf("%d.%d", b[0], low24), fmt.Sprintf("%d.%d.%d", b[0], b[1], low16),
		fmt.Sprintf("%#o.%#o.%#o.%#o", b[0], b[1], b[2], b[3]), fmt.Sprintf("%#x.%#x.%#x.%#x", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%#x.%d", b[0], low24), fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%d.%d.%d.%d", int(b[0])+256, b[1], b[2], b[3]),
		strings.ReplaceAll(a.String(), ".", "\u3002"), strings.Map(fullWidth, a.String()),
		a.String() + ":5432", a.String() + "%00", a.String() + "\x00.example", " " + a.String(), a.String() + "\n", a.String() + "/x",
		"postgres@" + a.String(), a.String() + ",8.8.8.8", a.String() + "#.example", "::ffff:" + a.String(), "::ffff:0:" + a.String(),
	}
}

// fullWidth returns the full-width form of an ASCII character.
func fullWidth(r rune) rune { return r + '\uFF01' - '!' }
