package ask

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/headgate/headgate/internal/probe/facts"
)

// askForCandidates asks which tables could be published, if none is. timeout is the
// server's limit.
func (s *Session) askForCandidates(timeout time.Duration) {
	result, err := s.run(candidatesSQL(s.host.Slot.PublicationName), timeout)
	if err != nil || len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return // the finding then has no fix that is a statement
	}
	var c facts.Candidates
	if err := json.Unmarshal(result.Rows[0][0], &c); err == nil && candidatesBounded(c) {
		s.host.Evidence.Candidates = &c
	}
}

// candidatesSQL selects the tables that the publication could have without harm,
// because their updates and deletes would not fail. Tables of extensions are left out.
// A partition is published with its root. mayCreate is about the role's privilege to
// make a publication, and ownersMay about the owner of all tables, if it is one role.
func candidatesSQL(publication string) string {
	limit := strconv.Itoa(maxListed)
	return publishedSQL(publication) + `,
` + troubledSQL() + `,
candidate AS MATERIALIZED (
SELECT x.*, pg_catalog.row_number() OVER (ORDER BY x.nspname, x.relname) AS n FROM scope s CROSS JOIN node x
WHERE NOT s.something AND x.oid = x.root AND x.root NOT IN (SELECT t.root FROM troubled t)
AND (x.relkind = 'r' OR pg_catalog.current_setting('server_version_num')::int >= 130000)
AND x.oid NOT IN (SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'e')),
database AS (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
SELECT pg_catalog.jsonb_build_object('total', (SELECT pg_catalog.count(*) FROM candidate),
'tables', (SELECT pg_catalog.jsonb_agg(` + tableJSON("x") + ` || pg_catalog.jsonb_build_object('partitioned', x.relkind = 'p',
'inherited', x.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = x.oid),
'owner_may', pg_catalog.has_database_privilege(x.relowner, d.oid, 'CREATE')) ORDER BY x.n) FROM candidate x CROSS JOIN database d WHERE x.n <= ` + limit + `),
'may', (SELECT pg_catalog.has_database_privilege(d.oid, 'CREATE') FROM database d),
'database_owner', (SELECT pg_catalog.pg_get_userbyid(d.datdba) FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
'troubled', (SELECT pg_catalog.count(DISTINCT t.root) FROM troubled t),
'unlogged', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND c.oid >= 16384))::text`
}
