"""Registers a database, reads it, checks its target again, and removes it, with a generated client."""

import os

from headgate_client import AuthenticatedClient
from headgate_client.api.databases import create_database, delete_database, list_databases, patch_database
from headgate_client.api.targets import test_database
from headgate_client.models import (
    Annotations,
    CreateRequest,
    CreateSlot,
    Database,
    DatabaseList,
    Deletion,
    Invalid,
    PassedReport,
    UpdateRequest,
)

NAME = "python-example"


def payload(slot: str) -> CreateRequest:
    return CreateRequest(
        name=NAME,
        hostname=os.environ["PGHOST"],
        port=int(os.environ["PGPORT"]),
        database=os.environ["PGDATABASE"],
        username=os.environ["PGUSER"],
        password=os.environ["PGPASSWORD"],
        replication_slots=[CreateSlot(publication_name=os.environ["PUBLICATION"], slot_name=slot)],
    )


def expect(answer, kind):
    """Returns the answer if it is of that kind. Another one is an error of the API, with a summary."""
    if not isinstance(answer, kind):
        raise SystemExit(f"want {kind.__name__}, got {answer}")
    return answer


def main() -> None:
    client = AuthenticatedClient(base_url=os.environ["HEADGATE_URL"], token=os.environ["HEADGATE_API_KEY"])

    refused = expect(create_database.sync(client=client, body=payload("no_such_slot")), Invalid)
    for check in refused.checks or []:
        if check.status == "failed":
            print(f"Refused: {check.code}")

    # With an Idempotency-Key, a retry after a lost response registers nothing twice.
    slot = os.environ["SLOT"]
    answer = create_database.sync(client=client, body=payload(slot), idempotency_key=f"{NAME}-{slot}-{os.getpid()}")
    database = expect(answer, Database)
    print(f"Registered as {database.id}, the password is shown as {database.password}.")

    # An update sends only the fields that change.
    change = UpdateRequest(annotations=Annotations.from_dict({"team": "orders"}))
    changed = expect(patch_database.sync(NAME, client=client, body=change), Database)
    print(f"Annotated: {changed.annotations.to_dict()}")

    for listed in expect(list_databases.sync(client=client), DatabaseList).data:
        print(f"Listed: {listed.name} on {listed.hostname}")
    print(f"Checked again: {len(expect(test_database.sync(NAME, client=client), PassedReport).checks)} checks")
    print(f"Removed: {expect(delete_database.sync(NAME, client=client), Deletion).success}")


if __name__ == "__main__":
    main()
