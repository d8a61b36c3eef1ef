package ask

import "github.com/xdg-go/stringprep"

// saslprep returns the form of password that servers and libpq compute SCRAM's proof
// with: SASLprep (RFC 4013), or the password as it is if SASLprep rejects it or a
// character that Unicode 3.2 did not have. pgconn uses the profile OpaqueString of
// PRECIS (RFC 8265) in its place, which maps no character to nothing and does not
// replace compatibility characters.
func saslprep(password string) string {
	prepared, err := stringprep.SASLprep.Prepare(password)
	if err != nil {
		return password
	}
	for _, r := range prepared {
		if stringprep.TableA1.Contains(r) {
			return password
		}
	}
	return prepared
}
