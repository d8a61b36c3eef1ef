package check

func standbyCodes() []Definition {
	return []Definition{
		{
			Code: PrimaryRequired, Status: Failed,
			Meaning: "What a standby needs from its primary can't be checked.",
			Cause:   "The server is a standby, and the request has no `primary`.",
			Fix:     "Send the primary's connection as `primary`.",
		},
		{
			Code: StandbyUnsupported, Status: Failed,
			Meaning: "A consumer can't read from this server.",
			Cause:   "The server is a standby of a version before 16, which can't decode WAL.",
			Fix:     "Register the primary instead, or upgrade both to PostgreSQL 16 or later.",
		},
		{
			Code: PrimaryUnreachable, Status: Failed,
			Meaning: "Whether the standby follows this primary can't be checked.",
			Cause:   "The connection in `primary` does not work; the message has the reason.",
			Fix:     "Act on the reason as for the same code of the database itself, then send `primary` again.",
		},
		{
			Code: PrimaryIsStandby, Status: Failed,
			Meaning: "The standby's primary is another server, and it is not checked.",
			Cause:   "The server given as `primary` is itself in recovery.",
			Fix:     "Send the connection of the server that takes the writes.",
		},
		{
			Code: PrimaryMismatch, Status: Failed,
			Meaning: "What is done on the server given as `primary` never reaches this standby.",
			Cause:   "The two servers belong to different clusters, or `primary` names another database.",
			Fix:     "Send the primary that this standby follows, with the same database.",
		},
		{
			Code: HotStandbyFeedbackOff, Status: Warned,
			Meaning: "The slot can be invalidated at any time, and the consumer then has to start over.",
			Cause:   "`hot_standby_feedback` is off on the standby, so the primary may remove rows that the slot still needs.",
			Fix:     "Turn `hot_standby_feedback` on, on the standby.",
		},
		{
			Code: PrimaryNotNeeded, Status: Warned,
			Meaning: "`primary` has no effect.",
			Cause:   "The database itself is a primary, and the request has a `primary`.",
			Fix:     "Leave `primary` out.",
		},
	}
}

func walLevelCodes() []Definition {
	return []Definition{
		{
			Code: WALLevelNotLogical, Status: Failed,
			Meaning: "Changes can't be decoded, and a logical slot can't be made.",
			Cause:   "`wal_level` of the server, or of the standby's primary, is `replica` or `minimal`.",
			Fix:     "Set `wal_level` to `logical` in the provider's way and restart the server.",
		},
	}
}

func replicationRoleCodes() []Definition {
	return []Definition{
		{
			Code: ReplicationNotPermitted, Status: Failed,
			Meaning: "A consumer with this role can't read any slot.",
			Cause:   "The role has neither the `REPLICATION` attribute nor the provider's role for it, such as `rds_replication`.",
			Fix:     "`ALTER ROLE … REPLICATION`, or on RDS and Aurora `GRANT rds_replication TO …`.",
		},
	}
}

func walsendersCodes() []Definition {
	return []Definition{
		{
			Code: NoWALSenderAvailable, Status: Failed,
			Meaning: "A consumer can't connect for replication.",
			Cause:   "All of `max_wal_senders` are in use by standbys and other consumers.",
			Fix:     "Stop a consumer that is not needed, or raise `max_wal_senders` and restart the server.",
		},
		{
			Code: WALSendersLow, Status: Warned,
			Meaning: "The consumer gets the last walsender, and the next one gets none.",
			Cause:   "All of `max_wal_senders` are in use, this check's own session included.",
			Fix:     "Raise `max_wal_senders` and restart the server.",
		},
	}
}

func publicationCodes() []Definition {
	return []Definition{
		{
			Code: PublicationNotFound, Status: Failed,
			Meaning: "A consumer has nothing to subscribe to, and its first read fails.",
			Cause:   "The database has no publication of this name. Publications belong to one database, and names are case-sensitive.",
			Fix:     "Correct `publication_name` or `database`, or create the publication before the slot, with tables that have a primary key.",
		},
		{
			Code: PublicationCreateDenied, Status: Failed,
			Meaning: "The request asks for the publication to be made, and this role can't make it, or can't drop it.",
			Cause:   "The role lacks `CREATE` on the database, does not own a table, or is no superuser, which a publication of all tables or of schemas needs; or the server refused the statement, for example because of a lock. A publication is dropped by its owner only, and not while another database is registered with it.",
			Fix:     "Name tables that the role owns, with `tables`; or let a superuser make the publication with the statement of the fix.",
		},
		{
			Code: PublicationCreateUnsafe, Status: Failed,
			Meaning: "Made as the request says, the publication would make updates and deletes of these tables fail on the server, for every application.",
			Cause:   "The tables have no replica identity: no primary key, and none set by `ALTER TABLE … REPLICA IDENTITY`. From PostgreSQL 18 on, one with a generated column is as good as none.",
			Fix:     "Give the tables primary keys or replica identities, or name the tables to publish without them.",
		},
		{
			Code: PublicationEmpty, Status: Warned,
			Meaning: "A consumer receives no changes.",
			Cause:   "The publication contains no tables, or only partitioned tables without partitions, or is FOR ALL TABLES in a database without tables.",
			Fix:     "`ALTER PUBLICATION … ADD TABLE …`, with tables that have a replica identity, which a primary key is by default. Unlogged and temporary tables can't be published.",
		},
		{
			Code: PublicationOperationsMissing, Status: Warned,
			Meaning: "A consumer's copy differs from the tables, because some changes are not sent.",
			Cause:   "The publication's `publish` option leaves out inserts, updates, deletes or truncates.",
			Fix:     "`ALTER PUBLICATION … SET (publish = 'insert, update, delete, truncate')`, unless it is meant to leave them out. A table without a replica identity gets one first: otherwise its updates and deletes would fail from then on.",
		},
		{
			Code: PublicationNotViaRoot, Status: Warned,
			Meaning: "A consumer sees the changes under the names of partitions, not of the partitioned table.",
			Cause:   "The publication contains a partitioned table, and `publish_via_partition_root` is false.",
			Fix:     "`ALTER PUBLICATION … SET (publish_via_partition_root = true)`, unless the consumer expects partitions.",
		},
	}
}

func publicationOrderCodes() []Definition {
	return []Definition{
		{
			Code: PublicationAfterSlot, Status: Failed,
			Meaning: "Up to PostgreSQL 17 the consumer's first read fails with `publication \"…\" does not exist`, and from 18 the changes before the publication are dropped without an error.",
			Cause:   "The publication was created, or dropped and created again, after the slot, and the slot still has changes from before it.",
			Fix:     "Drop the slot and create it again, now that the publication exists. The changes that the slot had not sent are lost; a backfill restores them. If another registered database has the slot, create one of another name instead.",
		},
		{
			Code: DecodingFailed, Status: Failed,
			Meaning: "A consumer meets the same error each time that it starts, and receives nothing.",
			Cause:   "The server raises an error when it decodes the changes that the slot has to send, for example in a row filter. The message has its SQLSTATE.",
			Fix:     "Correct the row filter, then drop the slot and create it again. The changes that it had not sent are lost; a backfill restores them. If another registered database has the slot, create one of another name instead.",
		},
		{
			Code: PublicationAfterSlotSuspected, Status: Warned,
			Meaning: "As for `publication_after_slot`, if the suspicion is right.",
			Cause:   "The publication may be younger than the slot, and reading ahead could not settle it: the slot is in use, the role may not read it, it is held back, or it retains too much WAL to be read here.",
			Fix:     "None is needed if the consumer reads the slot. If it fails because the publication does not exist, create the slot again.",
		},
	}
}
