package verdicts_test

import (
	"maps"
	"slices"

	"github.com/headgate/headgate/internal/check"
)

// The codes of the contract that the tables of codes do not have yet.
const (
	identityNotPublished     check.Code = "replica_identity_not_published"
	rowFilterOutsideIdentity check.Code = "row_filter_outside_identity"
	rowSecurityActive        check.Code = "row_security_active"
	notChecked               check.Code = "not_checked"
)

// newCodes are those, by their check.
func newCodes() map[check.Code]string {
	return map[check.Code]string{
		identityNotPublished: check.Tables, rowFilterOutsideIdentity: check.Tables, rowSecurityActive: check.Tables,
		notChecked: "",
	}
}

// checkOf is the check that has a code, empty where every check can have it.
func checkOf(code check.Code) string {
	for _, c := range check.Table() {
		for _, d := range c.Codes {
			if d.Code == code {
				return c.Name
			}
		}
	}
	return newCodes()[code]
}

// allCodes are the codes of findings, in the order of a report.
func allCodes() []string {
	var all []string
	for _, c := range check.Table() {
		for _, d := range c.Codes {
			all = append(all, string(d.Code))
		}
	}
	for _, code := range slices.Sorted(maps.Keys(newCodes())) {
		if !slices.Contains(all, string(code)) {
			all = append(all, string(code))
		}
	}
	return all
}
