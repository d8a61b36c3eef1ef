package database

import "github.com/headgate/headgate/internal/apierror"

// busy returns an error of kind Throttled if this process was too busy to probe the
// target, so that our own load is not reported as the target's fault. It is no
// Unavailable: a server that never stops sending can look like that, and must not be able
// to cause a 5xx.
func (x Examination) busy() error {
	if !x.OutOfTime {
		return nil
	}
	return apierror.New(apierror.Throttled, "this process was too busy to probe the target; nothing was kept", nil)
}
