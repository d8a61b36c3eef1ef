package facts

// Failure is why a stage, a part of the statement or a session failed. Fields that
// the Kind does not mention are empty.
type Failure struct {
	Kind Kind
	// IPv6 is the family of the address. The address itself is logged only: it tells
	// what a name leads to in this deployment's network.
	IPv6 bool
	// Detail is text about the cause. It may be of the server.
	Detail string
	// Server is the server's error message.
	Server *ServerMessage
	// Request is how the server asked for a proof of who the role is, before it failed.
	Request AuthRequest
}

// ServerMessage is an error, a warning or a notice of a server. Its text is
// printable and does not contain the password.
type ServerMessage struct {
	Severity string
	SQLSTATE string
	// Routine is the server's function that raised it: unlike the text, its name is
	// the same in every language.
	Routine string
	Message string
}

// AuthRequest is a server's request for a proof of who the role is.
type AuthRequest int

// The requests. With NoAuthRequest the server asked nothing: it decides by the
// connection alone, as trust, ident and cert do.
const (
	NoAuthRequest AuthRequest = iota
	CleartextRequest
	MD5Request
	SCRAMRequest
	OtherRequest
)

// Kind is what happened.
type Kind int

// The kinds of failures, by the stage that they prevent.
const (
	// NoAddress and the kinds up to WrongFamily prevent Resolved.
	NoAddress         Kind = iota + 1 // DNS has no address for the name
	LookupFailed                      // the name server did not answer
	AddressNotAllowed                 // never allowed; Detail says why
	AddressPrivate                    // refused unless EGRESS_ALLOW has the address; Detail says why
	WrongFamily                       // all addresses are of the other family

	// DialRefused and the kinds up to NotPostgres prevent Connected.
	DialRefused
	DialUnreachable
	DialTimedOut
	DialFailed       // any other error
	NeverAnswered    // connected, and then timed out before the first byte
	FellSilent       // timed out later
	OutOfTime        // this process was too busy: the time ran out with an answer unread, or before a connection was tried
	Flooded          // sent more than the limits of a session
	Closed           // closed or reset the connection
	ProtocolViolated // sent what is not part of the protocol
	Terminated       // Server; ended the session with an error
	NotPostgres      // speaks another protocol

	// TLSNotOffered and the kinds up to CleartextNoTLS prevent Encrypted.
	TLSNotOffered
	RootsUnreadable
	CertificateUnknownAuthority // Detail is the issuer
	CertificateOtherHost        // Detail lists the names that the certificate is for
	CertificateExpired          // Detail is the date
	CertificateNotYetValid      // Detail is the date
	CertificateNotVerified      // Detail; for another reason
	TLSTooOld                   // the server has no version of TLS from 1.2 on
	HandshakeFailed             // Detail
	CleartextWithoutTLS         // the password was requested in cleartext, and ssl is false
	CleartextNoTLS              // the same of a server that does not offer TLS

	// SetupFailed and the kinds that follow prevent LoggedIn.
	SetupFailed                // this program could not set up the session
	NoProcess                  // the server could not start a process for the connection
	CleartextUnverified        // the password was requested in cleartext, and the server is not verified
	KerberosRequested          // GSSAPI or SSPI
	ProofFailed                // client and server did not agree on the proof of the password
	LoginRejected              // Server
	ClientCertificateRequested // by TLS

	// NotAnswered and the kinds that follow are of a part of the statement.
	NotAnswered       // Server; the error that the part raised
	NotAnsweredInTime // the session was given up
	SessionEnded      // the server ended the session
	AnswerUnreadable  // the answer is not what the statement returns
)

// Prevents returns the stage that a failure of kind k prevents.
func (k Kind) Prevents() Stage {
	switch {
	case k <= WrongFamily:
		return Resolved
	case k <= NotPostgres:
		return Connected
	case k <= CleartextNoTLS:
		return Encrypted
	}
	return LoggedIn
}
