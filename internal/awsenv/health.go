package awsenv

import "github.com/headgate/headgate/internal/database"

// HealthLimits returns HEALTH_RETAINED_MB and HEALTH_SAFE_PERCENT, or their defaults.
func (e *Env) HealthLimits() (database.HealthLimits, error) {
	const (
		megabyte    = 1 << 20
		maxRetained = 1 << 30 // in MB
		maxPercent  = 100
	)
	l := database.DefaultHealthLimits()
	retained, err := e.Number("HEALTH_RETAINED_MB", int(l.RetainedBytes/megabyte), 1, maxRetained)
	if err != nil {
		return l, err
	}
	percent, err := e.Number("HEALTH_SAFE_PERCENT", l.SafePercent, 0, maxPercent)
	return database.HealthLimits{RetainedBytes: int64(retained) * megabyte, SafePercent: percent}, err
}
