package judge

import (
	"github.com/headgate/headgate/internal/check"
	"github.com/headgate/headgate/internal/probe/quote"
)

// judgeWALLevel looks at the primary of a standby too: its WAL is what the standby
// decodes.
func judgeWALLevel(s subject) []check.Entry {
	findings := walLevelFindings(s.server)
	if s.inRecovery() && s.primary != nil && s.primary.Facts.Server != nil && s.primary.Facts.Settings != nil {
		findings = append(findings, walLevelFindings(*s.primary)...)
	}
	return findings
}

// walLevelFindings prefers effective_wal_level (from 19), which a logical slot
// raises to logical.
func walLevelFindings(s server) []check.Entry {
	level := s.Facts.Settings.Value("effective_wal_level")
	if level == "" {
		level = s.Facts.Settings.Value("wal_level")
	}
	if level == "logical" || s.Facts.Settings.Value("wal_level") == "logical" {
		return nil
	}
	return []check.Entry{check.Fail(check.WALLevel, check.WALLevelNotLogical,
		"wal_level of "+s.noun()+" is "+quote.Name(quote.Printable(level))+"; logical decoding needs \"logical\"", s.enableLogicalDecoding())}
}
