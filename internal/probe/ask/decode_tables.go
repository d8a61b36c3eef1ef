package ask

import "github.com/headgate/headgate/internal/probe/facts"

// troubleKinds is the number of kinds of trouble.
const troubleKinds = 4

// tablesBounded reports whether t has no more than the statement asks for, and each
// name has its parts.
func tablesBounded(t *facts.Tables) bool {
	if t == nil {
		return true
	}
	for _, o := range t.Closed {
		if len(o.Name) != 1 {
			return false
		}
	}
	var tables []facts.Object
	for _, u := range t.Unreadable {
		tables = append(tables, u.Object)
	}
	for _, s := range t.Secured {
		tables = append(tables, s.Object)
	}
	for _, x := range t.Troubles {
		tables = append(tables, x.Object)
	}
	return len(t.Closed) <= maxListed && len(t.Unreadable) <= maxListed && len(t.Secured) <= maxTroubles &&
		len(t.Troubles) <= troubleKinds*maxTroubles && areTables(tables)
}

func candidatesBounded(c facts.Candidates) bool {
	var tables []facts.Object
	for _, t := range c.Tables {
		tables = append(tables, t.Object)
	}
	return len(tables) <= maxListed && areTables(tables) && c.Check() == nil
}

func remedyBounded(r facts.Remedy) bool {
	return areTables([]facts.Object{r.Sender}) && r.Check() == nil
}

// areTables reports whether each name has a schema and a table.
func areTables(objects []facts.Object) bool {
	for _, o := range objects {
		if len(o.Name) != 2 {
			return false
		}
	}
	return true
}
