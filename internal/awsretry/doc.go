// Package awsretry retries calls of AWS services and reports what is known of
// their effect.
//
// The SDK's own retryer returns the error of the last attempt alone. For a write
// that is not enough: after an attempt that timed out and another that was
// throttled, the write may have happened. So clients are made without the SDK's
// retryer, and [Do] retries in its place: its error remembers whether the outcome
// of any attempt is ambiguous.
package awsretry
