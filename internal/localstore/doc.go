// Package localstore stores databases and their passwords in one local file, for
// running without AWS.
//
// It behaves like the catalog on DynamoDB and the vault on Secrets Manager. One
// process at a time can open the file, which only its owner can read. Passwords are
// not encrypted, and the bytes of a deleted one stay until the file reuses their
// space. So it is for trying things out, not for passwords that matter.
package localstore
