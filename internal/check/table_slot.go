package check

func replicationSlotCodes() []Definition {
	return []Definition{
		{
			Code: SlotNotFound, Status: Failed,
			Meaning: "A consumer has nothing to read from.",
			Cause:   "The server has no slot of this name. A slot on the primary does not exist on its standbys, nor the other way round.",
			Fix:     "Correct `slot_name`, or create the slot, after the publication.",
		},
		{
			Code: NoSlotAvailable, Status: Failed,
			Meaning: "The slot can't be created as things are.",
			Cause:   "As many slots exist as `max_replication_slots` allows.",
			Fix:     "Drop a slot that nobody needs, or raise `max_replication_slots` and restart the server.",
		},
		{
			Code: SlotCreateDenied, Status: Failed,
			Meaning: "The request asks for the slot to be made, and the server does not let this role make it.",
			Cause:   "An administrator has revoked `EXECUTE` on `pg_create_logical_replication_slot`, or the server refused the call for the reason in the message.",
			Fix:     "`GRANT EXECUTE ON FUNCTION …` to the role, or let somebody who may make the slot.",
		},
		{
			Code: SlotCreateBlocked, Status: Failed,
			Meaning: "The slot could not be made in time. Nothing is left of it. A dry run can't wait, so that it never fails with this: where such transactions are open, its passed check names them.",
			Cause:   "The creation of a slot waits for every transaction on the server that has written and is still open, in any database; on a standby, also for the primary to log its running transactions.",
			Fix:     "End the transactions whose PIDs the message names, or repeat the request when they have ended. On a standby, let the role of the primary execute `pg_log_standby_snapshot()`.",
		},
		{
			Code: SlotWrongDatabase, Status: Failed,
			Meaning: "A consumer that connects to this database can't read the slot.",
			Cause:   "The slot was created in another database of the server.",
			Fix:     "Send the slot's database, or create a slot of another name in this one.",
		},
		{
			Code: SlotNotLogical, Status: Failed,
			Meaning: "A consumer can't read changes from the slot.",
			Cause:   "The slot is physical: it serves a standby.",
			Fix:     "Create a logical slot of another name and send that as `slot_name`.",
		},
		{
			Code: SlotWrongPlugin, Status: Failed,
			Meaning: "A consumer of `pgoutput` can't read the slot.",
			Cause:   "The slot was created with another output plugin, such as `test_decoding` or `wal2json`.",
			Fix:     "Create a slot with `pgoutput` of another name and send that as `slot_name`.",
		},
		{
			Code: SlotInvalidated, Status: Failed,
			Meaning: "The slot can never be read again, and the changes that it had not sent are lost.",
			Cause:   "It fell behind `max_slot_wal_keep_size`, was idle for longer than `idle_replication_slot_timeout`, or conflicted with the recovery of its standby.",
			Fix:     "Drop the slot and create it again, then let the consumer backfill. The changes that it had not sent are lost.",
		},
		{
			Code: SlotTemporary, Status: Failed,
			Meaning: "The slot disappears before a consumer reads it.",
			Cause:   "It is temporary, and ends with the session that created it.",
			Fix:     "Create a permanent slot of another name and send that as `slot_name`.",
		},
		{
			Code: SlotSynced, Status: Failed,
			Meaning: "A consumer can't read the slot until the standby is promoted.",
			Cause:   "It is the standby's synchronized copy of a slot on the primary.",
			Fix:     "Create a slot of another name on the standby, or register the primary.",
		},
		{
			Code: SlotBeingCreated, Status: Failed,
			Meaning: "A consumer can't read the slot yet.",
			Cause:   "The creation of a slot waits for every open transaction that has written; on a standby, for the primary to log its running transactions.",
			Fix:     "Wait for the transactions whose PIDs the message names, or end them. On a standby, run `SELECT pg_log_standby_snapshot()` on its primary.",
		},
		{
			Code: SlotActive, Status: Warned,
			Meaning: "A second consumer can't read the slot until the first one stops.",
			Cause:   "Another process reads the slot. After a registration this is the consumer itself, and as it should be.",
			Fix:     "Before a new consumer starts, stop the process that the message names. A slot in use is not dropped: a delete with `drop_slot` then fails with this code.",
		},
		{
			Code: SlotLagging, Status: Warned,
			Meaning: "A consumer first receives everything that changed since the slot was last confirmed.",
			Cause:   "The slot retains more than 256 MB of WAL, because nothing read it for a while or its consumer is slow.",
			Fix:     "Start or speed up the consumer. If those changes are not needed, create the slot again.",
		},
		{
			Code: SlotAtRisk, Status: Warned,
			Meaning: "The slot may be lost before it is read, and the consumer then has to start over.",
			Cause:   "Little WAL is left until the slot is lost: less than 256 MB, or less than a quarter of `max_slot_wal_keep_size`. Or it is idle for nearly as long as `idle_replication_slot_timeout` or the provider allows.",
			Fix:     "Start the consumer before the limit is reached, or raise `max_slot_wal_keep_size` as far as the disk has room. A server without the limit can fill its disk.",
		},
		{
			Code: SlotHeldBack, Status: Warned,
			Meaning: "A consumer receives no changes until the standbys have confirmed them.",
			Cause:   "It is a failover slot, and a slot in `synchronized_standby_slots` is missing, inactive, invalidated or far behind.",
			Fix:     "Start the standby, or take it out of `synchronized_standby_slots` if it is gone for good.",
		},
		{
			Code: SlotTwoPhase, Status: Warned,
			Meaning: "A consumer of protocol version 1 or 2 fails at the first prepared transaction, or applies one that is rolled back later.",
			Cause:   "The slot was created with `two_phase`. It matters once `max_prepared_transactions` permits prepared transactions.",
			Fix:     "Create a slot without `two_phase` of another name, unless the consumer asks for `two_phase`.",
		},
		{
			Code: SlotShared, Status: Warned,
			Meaning: "Two consumers of the slot each receive a part of the changes, or one of them none.",
			Cause:   "Another database of the account is registered with the same slot of the same server, perhaps under another host name.",
			Fix:     "Create a slot of its own for each database, or delete the registration that is not needed. A slot that another database has is not dropped: a delete with `drop_slot` then fails with this code.",
		},
	}
}
