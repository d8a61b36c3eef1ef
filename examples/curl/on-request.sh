#!/usr/bin/env bash
# Registers a database whose publication and replication slot do not exist yet, and takes all three away again.
set -euo pipefail
. "$(dirname "$0")/headgate.sh"

payload=$(jq --null-input '{
  name: "on-request",
  hostname: env.PGHOST, port: (env.PGPORT | tonumber), database: env.PGDATABASE,
  username: env.PGUSER, password: env.PGPASSWORD,
  replication_slots: [{
    publication_name: env.PUBLICATION, slot_name: env.SLOT, create_if_not_exists: true,
    publication: {create_if_not_exists: true, tables: [{schema: "public", name: env.TABLE}], publish_via_partition_root: true}
  }]
}')

echo "What a create would do:"
headgate POST '/api/postgres_databases?dry_run=true' "$payload" |
  jq --raw-output '.checks[] | select(.name | IN("publication", "replication_slot")) | "  \(.status): \(.message)"'

# With the same Idempotency-Key, a retry takes over what an interrupted request has made.
database=$(headgate POST /api/postgres_databases "$payload" --header "Idempotency-Key: on-request-$SLOT-$$")
echo "Made: $(jq --compact-output .created <<<"$database")"

# Without the parameters, both stay on the target, and the answer has the statement that drops the slot.
removed=$(headgate DELETE '/api/postgres_databases/on-request?drop_slot=true&drop_publication=true')
echo "Dropped: $(jq --compact-output .dropped <<<"$removed")"
