package check

func tablesCodes() []Definition {
	return []Definition{
		{
			Code: TablesUnreadable, Status: Warned,
			Meaning: "Changes are replicated, but a backfill of these tables fails.",
			Cause:   "The role lacks `USAGE` on a schema, or `SELECT` on a table of the publication or on the columns that the publication sends. Or it may open no ordinary session, because its connection limit or the database's is 0, which walsenders don't count for.",
			Fix:     "`GRANT USAGE ON SCHEMA …` and `GRANT SELECT ON TABLE …` to the role, or `GRANT SELECT (…)` of the columns in the publication's column list. Or raise the connection limit.",
		},
		{
			Code: ReplicaIdentityMissing, Status: Warned,
			Meaning: "Updates and deletes of this table fail on the server, for every application, while it is published.",
			Cause:   "The table has no primary key and no other replica identity.",
			Fix:     "Add a primary key, or `ALTER TABLE … REPLICA IDENTITY USING INDEX …` with a unique index on columns that can't be null. `REPLICA IDENTITY FULL` serves where there is none, and makes WAL larger.",
		},
		{
			Code: ReplicaIdentityNotPublished, Status: Warned,
			Meaning: "Updates and deletes of this table fail on the server, for every application, while it is published so. With a generated column up to PostgreSQL 17, they come without the value that tells the row.",
			Cause:   "The publication's column list lacks a column of the replica identity, there is a column list and the identity is `FULL`, or a column of the identity is generated and not published.",
			Fix:     "Publish the table with the columns of its replica identity, or publish generated columns. `REPLICA IDENTITY FULL` does not help: with it no column may be left out.",
		},
		{
			Code: RowFilterOutsideIdentity, Status: Warned,
			Meaning: "Updates and deletes of this table fail on the server, for every application, while it is published so.",
			Cause:   "The row filter of the table in the publication refers to columns that are not in the replica identity.",
			Fix:     "Change the filter to columns of the replica identity, or the replica identity to an index with the filter's columns. `REPLICA IDENTITY FULL` serves if the table has no column list.",
		},
		{
			Code: RowSecurityActive, Status: Warned,
			Meaning: "A backfill of this table lacks rows, or fails if `row_security` is off for the role. Changes are replicated in full.",
			Cause:   "The table has row-level security, it applies to the role, and the policies for the role do not show every row.",
			Fix:     "`CREATE POLICY … FOR SELECT TO … USING (true)` for the role, or give it `BYPASSRLS`.",
		},
	}
}

func anyCodes() []Definition {
	return []Definition{
		{
			Code: NotChecked, Status: Warned,
			Meaning: "What the check looks at, or the part of it that the message names, is unknown. The rest of the report is not affected. It is a failure if the request may create the publication or the slot, and whether that exists is unknown.",
			Cause:   "The server did not answer about it: in time, because another session holds a lock, because the role lacks a privilege on a catalog, or because of the database's encoding. The message has the reason.",
			Fix:     "Remove the reason and check again. `refresh_tables` answers 422 with this code if the tables can't be listed.",
		},
	}
}
