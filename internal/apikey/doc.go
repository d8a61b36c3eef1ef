// Package apikey creates, lists, revokes and checks API keys.
//
// A key is "hg_" and 32 random bytes in base62. It belongs to one account, has
// scopes, may expire, and may be revoked. It is shown once, when it is created; the store has
// its SHA-256. A plain hash suffices because nobody can guess 256 random bits.
package apikey
