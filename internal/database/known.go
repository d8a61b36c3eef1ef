package database

import (
	"slices"
	"strings"

	"github.com/headgate/headgate/internal/check"
)

// Known are the server's objects that the warnings of one code were about when d was
// registered. Their names are hashed: what the server sent is not kept.
type Known struct {
	Name   string     `json:"name"`
	Code   check.Code `json:"code"`
	Hashes []string   `json:"hashes"`
	// Total also counts the objects that the check did not list.
	Total int `json:"total"`
}

// examined takes over what an examination of d's target found.
func (d *Database) examined(x Examination) {
	d.Warnings, d.Known, d.Source = check.BoundedWarnings(x.Report.Warnings()), known(x.Report), x.Source
}

// known returns the objects that the warnings of report are about, by code.
func known(report check.Report) []Known {
	const hashLength = 16
	var all []Known
	for _, e := range report {
		if e.Status != check.Warned || e.Objects == "" {
			continue
		}
		i := slices.IndexFunc(all, func(k Known) bool { return k.Name == e.Name && k.Code == e.Code })
		if i < 0 {
			i, all = len(all), append(all, Known{Name: e.Name, Code: e.Code})
		}
		k := &all[i]
		k.Total += e.More
		for name := range strings.SplitSeq(e.Objects, "\n") {
			k.Hashes = append(k.Hashes, digest([]byte(name))[:hashLength])
			k.Total++
		}
	}
	return all
}

// hasNews reports whether report has a warning that d was not registered with. Warnings
// are compared by their codes and objects, because the numbers in a message change with
// each check. The size of the retained WAL is judged by the limits alone: it was another
// size at the registration. That a part could not be looked at is no news.
func (d Database) hasNews(report check.Report) bool {
	now := known(report)
	return slices.ContainsFunc(report, func(e check.Entry) bool {
		return e.Status == check.Warned && e.Code != check.NotChecked && !d.knows(e, now)
	})
}

// knows reports whether d was registered with the warning e. A database that was
// registered before objects were kept knows all of a code.
func (d Database) knows(e check.Entry, now []Known) bool {
	if e.Code == check.SlotLagging || e.Code == check.SlotAtRisk {
		return false
	}
	if !slices.ContainsFunc(d.Warnings, func(w check.Warning) bool { return w.Name == e.Name && w.Code == e.Code }) {
		return false
	}
	same := func(k Known) bool { return k.Name == e.Name && k.Code == e.Code }
	was, is := slices.IndexFunc(d.Known, same), slices.IndexFunc(now, same)
	return was < 0 || is < 0 || d.Known[was].covers(now[is])
}

// covers reports whether next has no object that k lacks. If k does not list all, only
// their number tells.
func (k Known) covers(next Known) bool {
	if next.Total > k.Total {
		return false
	}
	return k.Total > len(k.Hashes) || !slices.ContainsFunc(next.Hashes, func(h string) bool { return !slices.Contains(k.Hashes, h) })
}
