// Package apikey says what an API key is, and makes, revokes and checks keys.
//
// A key is "hg_" and 32 random bytes in base62. It belongs to one account, may
// expire, and may be revoked. It is shown once, when it is made; what is kept is
// its SHA-256. A plain hash is enough, since nobody guesses 256 random bits.
package apikey
