package check

func addressCodes() []Definition {
	return []Definition{
		{
			Code: HostnameNotFound, Status: Failed,
			Meaning: "There is no address to connect to.",
			Cause:   "DNS has no address for `hostname`, or the name server did not answer within 4 seconds.",
			Fix:     "Correct `hostname`. A name from a private DNS zone needs a deployment inside the VPC of that zone.",
		},
		{
			Code: AddressNotAllowed, Status: Failed,
			Meaning: "The host is not dialled, so nothing else is known about it.",
			Cause:   "The address is not on the public internet, and the deployment's `EgressAllow` does not include it; or it belongs to a range that is never allowed, such as link-local and metadata addresses.",
			Fix:     "For a private or loopback address, add it or its network to `EgressAllow` (`EGRESS_ALLOW` for a single function and for `make run`). Nothing lifts the ranges that are never allowed.",
		},
		{
			Code: NoIPv4Address, Status: Failed,
			Meaning: "A consumer that connects by IPv4 does not find the server.",
			Cause:   "DNS has only IPv6 addresses for the host, and `ipv6` is false.",
			Fix:     "Send `\"ipv6\": true`, or the name of a host that has an IPv4 address.",
		},
		{
			Code: NoIPv6Address, Status: Failed,
			Meaning: "A consumer that connects by IPv6 does not find the server.",
			Cause:   "DNS has only IPv4 addresses for the host, and `ipv6` is true.",
			Fix:     "Send `\"ipv6\": false`, or the name of a host that has an IPv6 address.",
		},
	}
}

func connectionCodes() []Definition {
	return []Definition{
		{
			Code: ConnectionRefused, Status: Failed,
			Meaning: "No consumer can connect at this address and port.",
			Cause:   "Nothing listens on the port, or a firewall rejects the connection.",
			Fix:     "Correct `hostname` and `port`, start the server, or make it listen on this address (`listen_addresses`).",
		},
		{
			Code: ConnectionTimeout, Status: Failed,
			Meaning: "No consumer behind the same network path can connect.",
			Cause:   "A firewall or a security group drops the packets, or something takes the connection and then sends nothing.",
			Fix:     "Let the deployment's addresses and the consumer's through the firewall, and make sure that the port is that of Postgres.",
		},
		{
			Code: NetworkUnreachable, Status: Failed,
			Meaning: "The server can't be reached from this deployment.",
			Cause:   "There is no route to the address; for an IPv6 address, the deployment has no IPv6.",
			Fix:     "Deploy into a VPC with a route to the server, dual-stack for IPv6, or use an address of the other family.",
		},
		{
			Code: NotPostgres, Status: Failed,
			Meaning: "A Postgres client can't talk to what answers.",
			Cause:   "`hostname` and `port` lead to a server of another protocol, such as HTTP or SSH.",
			Fix:     "Correct `hostname` and `port`.",
		},
		{
			Code: ConnectionLost, Status: Failed,
			Meaning: "The connection ended before everything was checked, so the report is incomplete.",
			Cause:   "The server or something between closed the connection, fell silent, or sent messages that are not part of the Postgres protocol.",
			Fix:     "Try again. If it stays, look at the server's log, and at proxies and firewalls between.",
		},
	}
}

func tlsCodes() []Definition {
	return []Definition{
		{
			Code: TLSNotSupported, Status: Failed,
			Meaning: "A consumer that insists on TLS can't connect.",
			Cause:   "The server runs with `ssl = off`, and `ssl` is true in the request.",
			Fix:     "Install a certificate and turn `ssl` on. `\"ssl\": false` sends everything unencrypted, so keep it to networks that you trust.",
		},
		{
			Code: TLSFailed, Status: Failed,
			Meaning: "No encrypted connection can be made.",
			Cause:   "The handshake failed, for example because the server offers only protocol versions before TLS 1.2.",
			Fix:     "Act on the reason in the message; `ssl_min_protocol_version`, `ssl_max_protocol_version` and `ssl_ciphers` decide what the server offers.",
		},
		{
			Code: TLSCertificateInvalid, Status: Failed,
			Meaning: "A consumer that verifies the server's certificate refuses to connect.",
			Cause:   "With `ssl_mode` `verify-full`, the certificate expired, names another host, or comes from an authority that is not in `ssl_root_cert` or, without that field, is neither public nor Amazon RDS's.",
			Fix:     "Act on the reason in the message: renew the certificate, use a host name that it contains, or send its authority in `ssl_root_cert`.",
		},
		{
			Code: TLSRequired, Status: Failed,
			Meaning: "A consumer that connects without TLS is turned away.",
			Cause:   "The server lets this role in over TLS only, or asks for the password in cleartext, and `ssl` is false.",
			Fix:     "Send `\"ssl\": true`.",
		},
		{
			Code: TLSNotUsed, Status: Warned,
			Meaning: "All changes cross the network unencrypted, and whoever can read the traffic can read them.",
			Cause:   "The server offers TLS, and `ssl` is false.",
			Fix:     "Send `\"ssl\": true`.",
		},
	}
}

func authenticationCodes() []Definition {
	return []Definition{
		{
			Code: AuthenticationFailed, Status: Failed,
			Meaning: "A consumer can't log in with this user name and password.",
			Cause:   "The password is wrong, it has expired, or the role does not exist; the server does not say which.",
			Fix:     "Correct `username` and `password`, or set the password with `ALTER ROLE`.",
		},
		{
			Code: DatabaseNotFound, Status: Failed,
			Meaning: "There is nothing to connect to under this name.",
			Cause:   "The server has no database named `database`. Names are case-sensitive.",
			Fix:     "Correct `database`.",
		},
		{
			Code: ConnectionNotPermitted, Status: Failed,
			Meaning: "The server turns this role away, whatever its password.",
			Cause:   "No line of `pg_hba.conf` admits the role from this address, the role may not log in, it lacks `CONNECT` on the database, the database accepts no connections, or the server wants another authentication method.",
			Fix:     "Act on the message, which says which of these it is.",
		},
		{
			Code: ClientCertificateRequired, Status: Failed,
			Meaning: "The server lets this role in with a certificate of the client only. headgate has none to show.",
			Cause:   "The line of `pg_hba.conf` that matches has the method `cert` or the option `clientcert`.",
			Fix:     "Put a line with `scram-sha-256`, and without `clientcert`, above it for this role.",
		},
		{
			Code: TooManyConnections, Status: Failed,
			Meaning: "A consumer can't connect while the limit is reached.",
			Cause:   "All of `max_connections` are in use, or the connection limit of the role or of the database is reached.",
			Fix:     "Close idle connections, or raise the limit that the message names, and keep one.",
		},
		{
			Code: ServerUnavailable, Status: Failed,
			Meaning: "The server takes no sessions at the moment.",
			Cause:   "It starts up, shuts down, recovers, or has run out of a resource.",
			Fix:     "Try again in a minute. If it stays, look at the server's log.",
		},
		{
			Code: ServerError, Status: Failed,
			Meaning: "The server refuses the session, or every question in it, for a reason that has no code of its own.",
			Cause:   "The message has the server's SQLSTATE and text.",
			Fix:     "Look the SQLSTATE up in the Postgres documentation, and at the server's log.",
		},
		{
			Code: IAMReplicationOff, Status: Failed,
			Meaning: "A consumer that signs in by IAM can't read the slot: the server lets the role in with a token, but not for replication.",
			Cause:   "`rds.iam_auth_for_replication` is off, which it is unless somebody turned it on.",
			Fix:     "Set it to 1 in the DB parameter group, of Aurora in the DB cluster parameter group. Or register the source with a password.",
		},
	}
}

func poolerCodes() []Definition {
	return []Definition{
		{
			Code: ConnectionPooler, Status: Failed,
			Meaning: "A consumer can't read the slot here: replication does not pass through the pooler.",
			Cause:   "`hostname` and `port` are those of PgBouncer, Supavisor or another pooler.",
			Fix:     "Send the host and port of the server itself. Providers call it the direct connection.",
		},
	}
}

func serverVersionCodes() []Definition {
	return []Definition{
		{
			Code: UnsupportedServerVersion, Status: Failed,
			Meaning: "The other checks are not done, because this server can't answer them.",
			Cause:   "The server is older than PostgreSQL 12.",
			Fix:     "Upgrade the server to a supported major version.",
		},
	}
}
