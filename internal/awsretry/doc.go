// Package awsretry makes one call of an AWS service out of several attempts, and
// says what is known of its effect when they are over.
//
// The SDK's own retries answer with the last attempt's error alone. That is too
// little for a write: after a time-out and then a throttled attempt, the write
// may well have happened. So the callers switch the SDK's retries off and let Do
// repeat the call, which remembers every attempt that was left in doubt.
package awsretry
