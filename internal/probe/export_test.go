package probe

import (
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

// What the tests of other packages' kind need of the inside.

// QuoteLiteral is quoteLiteral.
func QuoteLiteral(s string) string { return quoteLiteral(s) }

// QuoteIdentifier is quoteIdentifier.
func QuoteIdentifier(s string) string { return quoteIdentifier(s) }

// JudgeAnswer judges a server by its answer to the statement alone.
func JudgeAnswer(t database.Target, answer []byte) (check.Report, error) {
	e := evidence{reached: loggedIn, mode: walsender}
	err := e.facts.decode(answer, parts(t.Slot))
	return judge(t, e, &e), err
}
