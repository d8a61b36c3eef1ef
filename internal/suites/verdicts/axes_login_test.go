package verdicts_test

import (
	"context"

	"github.com/headgate/headgate/internal/database"
)

func namesAxis() axis {
	return axis{"names", []choice{
		{name: "plain"},
		{name: "quoted", set: func(p *plan) { p.odd = ` o"d'd; --` }},
		{name: "not ASCII", set: func(p *plan) { p.odd = " ñ\u5b57" }},
	}}
}

func roleAxis() axis {
	options := func(o string) func(*plan) { return func(p *plan) { p.roleOptions = o } }
	after := func(sql ...string) func(*plan) {
		return func(p *plan) {
			for _, q := range sql {
				p.admin(heldPhase, q)
			}
		}
	}
	group := func(p *plan) {
		p.admin(rolePhase, "CREATE ROLE {group}")
		p.admin(rolePhase, "GRANT {group} TO {role}")
	}
	return axis{"role", []choice{
		{name: "replication"},
		{name: "superuser", set: options("LOGIN SUPERUSER")},
		{name: "no replication", set: options("LOGIN")},
		{name: "no login", set: options("NOLOGIN REPLICATION")},
		{name: "bypasses row security", set: options("LOGIN REPLICATION BYPASSRLS")},
		{name: "expired password", set: options("LOGIN REPLICATION VALID UNTIL '2001-01-01'")},
		{name: "limit 0", set: options("LOGIN REPLICATION CONNECTION LIMIT 0")},
		{name: "limit 1", set: options("LOGIN REPLICATION CONNECTION LIMIT 1")},
		{name: "sets another role", set: func(p *plan) { group(p); after("ALTER ROLE {role} SET role = {group}")(p) }},
		{name: "sets another role that may read", set: func(p *plan) {
			group(p)
			after("ALTER ROLE {role} SET role = {group}")(p)
			p.add(step{phase: grantPhase, sql: "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {group}"})
		}},
		{name: "sets another role, no replication", set: func(p *plan) {
			options("LOGIN")(p)
			group(p)
			after("ALTER ROLE {role} SET role = {group}")(p)
		}},
		{name: "member of a replicating role", set: func(p *plan) {
			options("LOGIN")(p)
			p.admin(rolePhase, "CREATE ROLE {group} REPLICATION")
			p.admin(rolePhase, "GRANT {group} TO {role}")
		}},
		{name: "is read-only by default", set: after("ALTER ROLE {role} SET default_transaction_read_only = on")},
		{name: "has another search path", set: after("ALTER ROLE {role} SET search_path = nowhere")},
		{name: "has row security off", set: after("ALTER ROLE {role} SET row_security = off")},
		{name: "has another encoding", set: after("ALTER ROLE {role} SET client_encoding = LATIN1")},
		{name: "has strings that conform to no standard", set: after("ALTER ROLE {role} SET standard_conforming_strings = off")},
		{name: "is short of time", set: after("ALTER ROLE {role} SET statement_timeout = '60s'", "ALTER ROLE {role} SET idle_in_transaction_session_timeout = '60s'")},
		{name: "is impatient", set: after("ALTER ROLE {role} SET idle_in_transaction_session_timeout = '100ms'")},
		{name: "has short transactions", since: 17, set: after("ALTER ROLE {role} SET transaction_timeout = '10s'")},
		{name: "has another notion of equality", set: func(p *plan) {
			p.add(step{phase: grantPhase, sql: "CREATE SCHEMA first"}, step{phase: grantPhase, sql: "GRANT USAGE ON SCHEMA first TO PUBLIC"})
			for _, kind := range []string{"text", "name", "oid", "int"} {
				p.add(step{phase: grantPhase, sql: "CREATE FUNCTION first.eq(" + kind + ", " + kind + ") RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''it ran''; END'"},
					step{phase: grantPhase, sql: "CREATE OPERATOR first.= (LEFTARG = " + kind + ", RIGHTARG = " + kind + ", FUNCTION = first.eq)"})
			}
			after("ALTER ROLE {role} SET search_path = first, pg_catalog")(p)
		}},
	}}
}

func privilegeAxis() axis {
	revoke := func(sql ...string) func(*plan) {
		return func(p *plan) {
			for _, q := range sql {
				p.add(step{phase: heldPhase, sql: q})
			}
		}
	}
	return axis{"database", []choice{
		{name: "open"},
		{name: "no CONNECT", set: revoke("REVOKE CONNECT ON DATABASE {db} FROM PUBLIC")},
		{name: "schema public closed", set: func(p *plan) {
			p.add(step{phase: heldPhase, sql: "REVOKE ALL ON SCHEMA public FROM PUBLIC"}, step{phase: heldPhase, sql: "GRANT USAGE ON SCHEMA public TO {owner}"})
		}},
		{name: "activity not readable", set: revoke("REVOKE SELECT ON pg_stat_activity FROM PUBLIC")},
		{name: "roles and databases not readable", set: revoke("REVOKE SELECT ON pg_roles, pg_database FROM PUBLIC")},
		{name: "CONNECT by name", set: revoke("REVOKE CONNECT ON DATABASE {db} FROM PUBLIC", "GRANT CONNECT ON DATABASE {db} TO {role}")},
		{name: "limit 0", set: func(p *plan) { p.admin(heldPhase, "ALTER DATABASE {db} CONNECTION LIMIT 0") }},
		{name: "settings not readable", set: revoke("REVOKE SELECT ON pg_settings FROM PUBLIC")},
		{name: "login trigger that writes", since: 17, set: revoke(
			"CREATE TABLE login_log (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), who text)", "GRANT SELECT, INSERT ON login_log TO PUBLIC",
			`CREATE FUNCTION log_login() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.login_log (who) VALUES (session_user); END $$`,
			"CREATE EVENT TRIGGER log_login ON login EXECUTE FUNCTION log_login()", "ALTER EVENT TRIGGER log_login ENABLE ALWAYS")},
		{name: "of no encoding, a table's name in Latin-1", set: func(p *plan) {
			p.databaseOptions = " ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
			p.add(step{phase: tablePhase, sql: `DO $$ BEGIN EXECUTE 'CREATE TABLE "caf' || chr(233) || '" (id int PRIMARY KEY)'; END $$`})
			p.unreadable = true
			p.publication = func(*plan) string { return "CREATE PUBLICATION {pub} FOR ALL TABLES" }
		}, excludes: []string{"publication", "names"}},
		{name: "read-only by default", set: func(p *plan) {
			p.admin(heldPhase, "ALTER DATABASE {db} SET default_transaction_read_only = on")
		}},
	}}
}

func loginAxis() axis {
	lines := func(l ...string) func(*plan) { return func(p *plan) { p.hba = l } }
	return axis{"pg_hba", []choice{
		{name: "scram-sha-256"},
		{name: "md5", set: lines("host all all 127.0.0.1/32 md5")},
		{name: "md5, an md5 password", set: func(p *plan) {
			p.hba = []string{"host all all 127.0.0.1/32 md5"}
			p.add(step{phase: rolePhase, do: func(ctx context.Context, w *world) error {
				return w.run(ctx, w.lease.primary, "postgres", "", "SET password_encryption = md5", w.fill("ALTER ROLE {role} PASSWORD {password}"))
			}})
		}},
		{name: "trust", set: lines("host all all 127.0.0.1/32 trust")},
		{name: "password", set: lines("host all all 127.0.0.1/32 password")},
		{name: "no line", set: lines("host all nobody 127.0.0.1/32 scram-sha-256")},
		{name: "a line for another database", set: lines("host elsewhere all 127.0.0.1/32 scram-sha-256")},
		{name: "reject", set: lines("host all all 127.0.0.1/32 reject")},
		{name: "reject above", set: lines("host all {role} 127.0.0.1/32 reject", standardLine)},
		{name: "reject below", set: lines(standardLine, "host all all all reject")},
		{name: "lines for physical replication only", set: lines("host replication all 127.0.0.1/32 scram-sha-256")},
		{name: "physical replication rejected", set: lines("host replication all 127.0.0.1/32 reject", standardLine)},
		{name: "TLS only", set: lines("hostssl all all 127.0.0.1/32 scram-sha-256")},
		{name: "no TLS only", set: lines("hostnossl all all 127.0.0.1/32 scram-sha-256")},
		{name: "client certificate", set: lines("hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca")},
		{name: "cert", set: lines("hostssl all all 127.0.0.1/32 cert")},
		{name: "ident", set: lines("host all all 127.0.0.1/32 ident")},
	}}
}

func encryptionAxis() axis {
	endpoint := func(f func(*world, *database.Target)) func(*plan) {
		return func(p *plan) { p.endpoint = append(p.endpoint, f) }
	}
	verify := func(root func(*world) string) func(*plan) {
		return endpoint(func(w *world, t *database.Target) {
			t.Endpoint.SSLMode, t.Endpoint.SSLRootCert = database.SSLModeVerifyFull, root(w)
		})
	}
	return axis{"ssl", []choice{
		{name: "require"},
		{name: "off", set: endpoint(func(_ *world, t *database.Target) { t.Endpoint.SSL = false })},
		{name: "verified", set: verify(func(w *world) string { return string(w.lease.authority) })},
		{name: "verified by nobody known", set: verify(func(*world) string { return "" })},
		{name: "verified by another", set: verify(func(*world) string { return string(strangers()) })},
	}}
}

func certificateAxis() axis {
	kind := func(k certificateKind) func(*plan) { return func(p *plan) { p.certificate = k } }
	return axis{"certificate", []choice{
		{name: "ECDSA"},
		{name: "RSA", set: kind(rsaCertificate)},
		{name: "Ed25519", set: kind(ed25519Certificate)},
		{name: "expired", set: kind(expiredCertificate)},
		{name: "another host's", set: kind(otherHostCertificate)},
		{name: "none", set: kind(noCertificate)},
	}}
}

func passwordAxis() axis {
	both := func(text string) func(*plan) { return func(p *plan) { p.created, p.sent = text, text } }
	return axis{"password", []choice{
		{name: "ASCII"},
		{name: "quotes", set: both(`p'w"d\ %:/?#{}`)},
		{name: "soft hyphen", set: both("pass\u00adword")},
		{name: "no-break space", set: both("pass\u00a0word")},
		{name: "ligature", set: both("\ufb01sh")},
		{name: "emoji", set: both("pass\U0001F600word")},
		{name: "decomposed", set: both("cafe\u0301")},
		{name: "roman numeral", set: both("\u2168x")},
		{name: "control character", set: both("pass\u0007word")},
		{name: "right to left", set: both("\u0627pass1")},
		{name: "wrong", set: func(p *plan) { p.sent = "wrong" }},
	}}
}

func endpointAxis() axis {
	change := func(f func(*world, *database.Target)) func(*plan) {
		return func(p *plan) { p.endpoint = append(p.endpoint, f) }
	}
	return axis{"endpoint", []choice{
		{name: "right"},
		{name: "absent database", set: change(func(_ *world, t *database.Target) { t.Endpoint.Database = "absent" })},
		{name: "absent role", set: change(func(w *world, t *database.Target) { t.Endpoint.Username = "absent_" + w.names.id })},
		{name: "absent host", set: change(func(_ *world, t *database.Target) { t.Endpoint.Hostname = "absent.invalid" })},
		{name: "host by name", set: change(func(_ *world, t *database.Target) { t.Endpoint.Hostname = "localhost" })},
		{name: "closed port", set: change(func(w *world, t *database.Target) { t.Endpoint.Port = w.closedPort })},
	}}
}
