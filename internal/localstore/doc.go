// Package embedded keeps databases, their passwords and API keys in one local
// file, for running without AWS.
//
// It behaves as the catalog on DynamoDB and the vault on Secrets Manager do. The
// file is for one process, and readable to its owner alone; the passwords in it
// are not encrypted, and the space of a removed one is overwritten only when it
// is used again. It is for trying things out, not for passwords that matter.
package localstore
