"""Devices and topics of users: rows alone, no stream tells of them."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from tocsin.adapters.sql.schema import device as table
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.domain.device import MAX_TOPICS, Device, DeviceDraft, DeviceKind
from tocsin.domain.errors import Conflict, NotFound
from tocsin.domain.identifier import derived_id
from tocsin.domain.user_id import UserId

_COLUMNS = tuple(table.c.keys())


def register(transaction: Transaction, draft: DeviceDraft, most: int) -> Device:
    """Insert a device, or update the user's own of this token; keep at most ``most`` of the user."""
    row = transaction.row(SQL.find_device, {"kind": draft.kind, "token": draft.token})
    found = None if row is None else from_row(row)
    if found is not None and found.user_id == draft.user_id:
        return _seen(transaction, found, draft)
    if found is not None:
        # A new row: its id, its name and its age are the former user's.
        transaction.execute(SQL.delete_device, {"id": found.id})
    device = Device(
        # Whoever signs out and in comes back as the same: it has been pushed to.
        id=derived_id(0, draft.user_id, draft.kind, draft.token),
        user_id=draft.user_id,
        kind=draft.kind,
        token=draft.token,
        platform=draft.platform,
        device_name=draft.device_name,
        created_at=transaction.now,
        last_seen_at=transaction.now,
    )
    transaction.execute(SQL.insert_device, asdict(device))
    transaction.known["anybody"] = True
    # By its id, not its instant: a clock set back must not drop the one that has just come.
    transaction.execute(SQL.delete_oldest_devices, {"user_id": draft.user_id, "id": device.id, "limit": most - 1})
    return device


def _seen(transaction: Transaction, device: Device, draft: DeviceDraft) -> Device:
    name = device.device_name if draft.device_name is None else draft.device_name
    device = replace(device, platform=draft.platform, device_name=name, last_seen_at=transaction.now)
    transaction.execute(SQL.update_device, asdict(device))
    return device


def unregister(transaction: Transaction, user_id: UserId, token: str, kind: DeviceKind) -> None:
    """Delete one of the user's own."""
    wanted = {"user_id": user_id, "token": token, "kind": kind}
    if not transaction.execute(SQL.delete_own_device, wanted).rowcount:
        raise NotFound("there is no such device")


def unregister_all(transaction: Transaction, user_id: UserId) -> int:
    """Delete all of a user."""
    return transaction.execute(SQL.delete_all_devices, {"user_id": user_id}).rowcount


def drop(transaction: Transaction, device: Device) -> bool:
    """Delete this row, unless it was registered again since it was read."""
    return transaction.execute(SQL.drop_device, asdict(device)).rowcount > 0


def subscribe(transaction: Transaction, user_id: UserId, topic: str) -> None:
    """Insert a subscription where there is none."""
    wanted = {"user_id": user_id, "topic": topic}
    if transaction.row(SQL.find_subscription, wanted) is not None:
        return
    if transaction.row(SQL.count_topics, wanted)[0] >= MAX_TOPICS:
        raise Conflict(f"a user can follow {MAX_TOPICS} topics: unsubscribe from one first")
    transaction.execute(SQL.insert_subscription, {**wanted, "created_at": transaction.now})


def unsubscribe(transaction: Transaction, user_id: UserId, topic: str) -> None:
    """Delete a subscription where there is one."""
    transaction.execute(SQL.delete_subscription, {"user_id": user_id, "topic": topic})


def of_user(connection: Reader, user_id: UserId) -> list[Device]:
    """Return the devices of a user, the one seen last first."""
    return [from_row(row) for row in connection.execute(SQL.list_devices, {"user_id": user_id})]


def topics_of_user(connection: Reader, user_id: UserId) -> list[str]:
    """Return the topics of a user, by name."""
    return [row[0] for row in connection.execute(SQL.list_topics, {"user_id": user_id})]


def to_json(device: Device) -> dict[str, Any]:
    """Return what ``from_json`` reads: without the token, which must not outlive its device."""
    return {name: value for name, value in asdict(device).items() if name != "token"}


def from_json(saved: dict[str, Any], token: str) -> Device:
    """Return the device of a saved result; the same request has the same token."""
    return Device(**saved, token=token)


def from_row(row: Sequence[Any]) -> Device:
    """Return the one of a row with all columns."""
    return Device(**dict(zip(_COLUMNS, row, strict=True)))
