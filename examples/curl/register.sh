#!/usr/bin/env bash
# Registers a database, reads it, checks its target again, and removes it.
set -euo pipefail
. "$(dirname "$0")/headgate.sh"

payload=$(jq --null-input '{
  name: "curl-example",
  hostname: env.PGHOST, port: (env.PGPORT | tonumber), database: env.PGDATABASE,
  username: env.PGUSER, password: env.PGPASSWORD,
  replication_slots: [{publication_name: env.PUBLICATION, slot_name: env.SLOT}]
}')

echo "What a create would find:"
headgate POST '/api/postgres_databases?dry_run=true' "$payload" | jq --raw-output '.checks[] | "  \(.name) \(.status)"'

# With an Idempotency-Key, a retry after a lost response registers nothing twice.
database=$(headgate POST /api/postgres_databases "$payload" --header "Idempotency-Key: curl-example-$SLOT-$$")
id=$(jq --raw-output .id <<<"$database")
echo "Registered as $id, the password is shown as $(jq --raw-output .password <<<"$database")."

echo "Databases: $(headgate GET /api/postgres_databases | jq --compact-output '[.data[].name]')"
echo "Checked again: $(headgate POST /api/postgres_databases/curl-example/test_connection | jq .success)"
echo "Removed: $(headgate DELETE /api/postgres_databases/curl-example | jq .success)"
