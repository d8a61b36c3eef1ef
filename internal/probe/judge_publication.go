package probe

import (
	"strings"

	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/database"
)

func judgePublication(s database.Slot, e evidence) verdict {
	if e.facts.Publication == nil {
		return skipped()
	}
	name := quoteIdentifier(s.PublicationName)
	onPrimary := ""
	if e.facts.Server != nil && e.facts.Server.InRecovery {
		onPrimary = " -- on the primary"
	}
	p := e.facts.Publication.Found
	if p == nil {
		return found(failed(check.Publication, check.PublicationNotFound,
			"publication "+name+" does not exist in this database", "CREATE PUBLICATION "+name+" FOR ALL TABLES"+onPrimary))
	}
	warn := func(code check.Code, message, fix string) *check.Entry {
		return warned(check.Publication, code, message, fix+onPrimary)
	}
	var findings []*check.Entry
	t := e.facts.Tables
	if !p.AllTables && t != nil && t.Count == 0 {
		findings = append(findings, warn(check.PublicationEmpty, "publication "+name+" has no tables: nothing would be sent",
			"add tables with ALTER PUBLICATION "+name+" ADD TABLE …"))
	}
	if missing := p.missing(); len(missing) > 0 {
		findings = append(findings, warn(check.PublicationOperationsMissing,
			"publication "+name+" leaves out "+strings.Join(missing, ", "),
			"ALTER PUBLICATION "+name+" SET (publish = 'insert, update, delete, truncate')"))
	}
	if p.ViaRoot != nil && !*p.ViaRoot && t != nil && t.Partitions > 0 {
		findings = append(findings, warn(check.PublicationNotViaRoot,
			"publication "+name+" sends the changes of partitions under the partitions' names, not their table's",
			"ALTER PUBLICATION "+name+" SET (publish_via_partition_root = true)"))
	}
	return found(findings...)
}

// missing are the operations that the publication does not send.
func (p *publication) missing() []string {
	var ops []string
	for _, op := range []struct {
		name string
		sent bool
	}{{"insert", p.Insert}, {"update", p.Update}, {"delete", p.Delete}, {"truncate", p.Truncate}} {
		if !op.sent {
			ops = append(ops, op.name)
		}
	}
	return ops
}

// suspected tells whether the publication may have been made after the slot. No
// time of creation is stored; but a publication's row that is older than the
// oldest transaction that the slot keeps catalog rows for was there before it.
// Otherwise it is open: a change of the publication, or a slot that lags, looks
// the same.
func suspected(f facts) bool {
	if f.Publication == nil || f.Publication.Found == nil || f.Slot == nil || f.Slot.Found == nil || f.Slot.Found.Age == nil {
		return false
	}
	return f.Publication.Found.Age <= *f.Slot.Found.Age
}

func judgeOrder(s database.Slot, e evidence) verdict {
	f := e.facts
	if f.Server == nil || f.Publication == nil || f.Publication.Found == nil || f.Slot == nil || f.Slot.Found == nil ||
		len(slotFailures(f.Slot.Found, f.Server)) > 0 {
		return skipped()
	}
	if !suspected(f) || e.peek == peekPassed {
		return found()
	}
	name, publication := quoteName(s.SlotName), quoteIdentifier(s.PublicationName)
	if e.peek == peekMissing {
		return found(failed(check.PublicationOrder, check.PublicationAfterSlot,
			"publication "+publication+" was made after replication slot "+name+
				": reading the slot starts before the publication exists, and fails or drops those changes", recreateSlot(s)))
	}
	return found(warned(check.PublicationOrder, check.PublicationAfterSlotSuspected,
		"publication "+publication+" may have been made or changed after replication slot "+name+
			", and whether that matters could not be tried, because "+untried(e)+
			". If reading the slot fails for want of the publication, make the slot anew", ""))
}

// untried is why the slot was not read ahead.
func untried(e evidence) string {
	switch {
	case e.facts.Slot.Found.Active:
		return "the slot is being read"
	case !canPeek(e):
		return "the session may not read it"
	}
	return "the slot has much to read"
}
