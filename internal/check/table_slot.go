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
			Code: SlotWrongDatabase, Status: Failed,
			Meaning: "A consumer that connects to this database can't read the slot.",
			Cause:   "The slot was created in another database of the server.",
			Fix:     "Send the slot's database, or create a slot of another name in this one.",
		},
		{
			Code: SlotNotLogical, Status: Failed,
			Meaning: "A consumer can't read changes from the slot.",
			Cause:   "The slot is physical: it serves a standby.",
			Fix:     "Choose another `slot_name` and create a logical slot. Make sure that no standby uses this one before you drop it.",
		},
		{
			Code: SlotWrongPlugin, Status: Failed,
			Meaning: "A consumer of `pgoutput` can't read the slot.",
			Cause:   "The slot was created with another output plugin, such as `test_decoding` or `wal2json`.",
			Fix:     "Choose another `slot_name` and create a slot with `pgoutput`. Make sure that no other consumer uses this one before you drop it.",
		},
		{
			Code: SlotInvalidated, Status: Failed,
			Meaning: "The slot can never be read again, and the changes that it had not sent are lost.",
			Cause:   "It fell behind `max_slot_wal_keep_size`, was idle for longer than `idle_replication_slot_timeout`, or conflicted with the recovery of its standby.",
			Fix:     "Drop the slot and create it again, then let the consumer backfill.",
		},
		{
			Code: SlotTemporary, Status: Failed,
			Meaning: "The slot disappears before a consumer reads it.",
			Cause:   "It is temporary, and ends with the session that created it.",
			Fix:     "End that session and create a permanent slot.",
		},
		{
			Code: SlotSynced, Status: Failed,
			Meaning: "A consumer can't read the slot until the standby is promoted.",
			Cause:   "It is the standby's synchronized copy of a slot on the primary.",
			Fix:     "Create a slot of another name on the standby, or register the primary.",
		},
		{
			Code: SlotActive, Status: Warned,
			Meaning: "A second consumer can't read the slot until the first one stops.",
			Cause:   "Another process reads the slot. After a registration this is the consumer itself, and as it should be.",
			Fix:     "Before a new consumer starts, stop the process that the message names.",
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
			Cause:   "The WAL that it needs may be removed (`wal_status` is `unreserved`), or a limit of the server or of the provider ends slots that are far behind or idle.",
			Fix:     "Start the consumer soon, and keep the limit that the message names above what it may fall behind.",
		},
	}
}
