package judge

import (
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/facts"
	"github.com/headgate/headgate/internal/probe/quote"
)

func judgePublication(s subject) []check.Entry {
	name := quote.Identifier(s.slot.PublicationName)
	p, tables := s.Facts.FoundPublication(), s.Facts.Tables
	if p == nil {
		return []check.Entry{check.Fail(check.Publication, check.PublicationNotFound,
			"publication "+name+" does not exist in this database", "CREATE PUBLICATION "+name+" FOR ALL TABLES"+s.onPrimary())}
	}
	var findings []check.Entry
	warn := func(code check.Code, message, fix string) {
		findings = append(findings, check.Warn(check.Publication, code, "publication "+name+message, fix+s.onPrimary()))
	}
	if !p.AllTables && tables != nil && tables.Count == 0 {
		warn(check.PublicationEmpty, " has no tables: no changes would be sent", "add tables with ALTER PUBLICATION "+name+" ADD TABLE …")
	}
	if missing := missingOperations(p); len(missing) > 0 {
		warn(check.PublicationOperationsMissing, " leaves out "+strings.Join(missing, ", "),
			"ALTER PUBLICATION "+name+" SET (publish = 'insert, update, delete, truncate')")
	}
	if p.ViaRoot != nil && !*p.ViaRoot && tables != nil && tables.Partitions > 0 {
		warn(check.PublicationNotViaRoot, " sends the changes of partitions under the partitions' names, not under that of their table",
			"ALTER PUBLICATION "+name+" SET (publish_via_partition_root = true)")
	}
	return findings
}

// missingOperations returns the operations that p does not publish.
func missingOperations(p *facts.Publication) []string {
	var missing []string
	for _, op := range []struct {
		name      string
		published bool
	}{{"insert", p.Insert}, {"update", p.Update}, {"delete", p.Delete}, {"truncate", p.Truncate}} {
		if !op.published {
			missing = append(missing, op.name)
		}
	}
	return missing
}
