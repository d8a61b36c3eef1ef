package database

import "github.com/headgate/headgate/internal/apierror"

// busy returns an error of kind Unavailable if this process was too busy to probe the
// target, so that our own load is not reported as the target's fault.
func (x Examination) busy() error {
	if !x.OutOfTime {
		return nil
	}
	return apierror.New(apierror.Unavailable, "this process was too busy to probe the target; nothing was kept", nil)
}
