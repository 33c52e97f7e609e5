"""Public keys and inboxes of devices: rows alone, no stream tells of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, literal_column, select, update

from tocsin.adapters.sql.connection import snapshot
from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.idempotency import perform_once, unchanged
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.schema import e2ee_device as device
from tocsin.adapters.sql.schema import e2ee_one_time_key as one_time_key
from tocsin.adapters.sql.schema import e2ee_to_device as to_device
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.application.once import Once
from tocsin.domain.e2ee import (
    KEPT_MS,
    MAX_DEVICES,
    MAX_ONE_TIME_KEYS,
    MAX_WAITING,
    ClaimedKey,
    Delivered,
    DeviceAddress,
    EncryptingDevice,
    KeyCounts,
    KeyUpload,
    Sealed,
)
from tocsin.domain.errors import Conflict, NotFound
from tocsin.domain.identifier import id_after, new_id
from tocsin.domain.user_id import UserId


def _its(table: Any) -> Any:
    return and_(table.c.user_id == bindparam("user_id"), table.c.device_id == bindparam("device_id"))


_OFFSET: ColumnElement[int] = literal_column("0")
# SQLite takes -1 as well, PostgreSQL does not.
_NO_LIMIT: ColumnElement[int] = literal_column(str(2**63 - 1))
_free = one_time_key.c.claimed_at.is_(None)
_next_key = (
    select(one_time_key.c.key_id)
    .where(_its(one_time_key), _free)
    .order_by(one_time_key.c.created_at, one_time_key.c.key_id)
    .limit(literal_column("1"))
    .offset(_OFFSET)
    .scalar_subquery()
)
# The one statement that hands a key out: it is marked by whoever reads it, or read by nobody.
_CLAIM = compiled(
    update(one_time_key)
    .values(claimed_at=bindparam("now"))
    .where(_its(one_time_key), _free, one_time_key.c.key_id == _next_key)
    .returning(one_time_key.c.key_id, one_time_key.c.key)
)
_CLAIM_FALLBACK = compiled(
    update(device)
    .values(is_fallback_used=literal_column("1"))
    .where(_its(device), device.c.fallback_key_id.is_not(None))
    .returning(device.c.fallback_key_id, device.c.fallback_key)
)
_FIND = compiled(
    select(device.c.device_keys, device.c.fallback_key_id, device.c.is_fallback_used, device.c.fallback_key).where(
        _its(device)
    )
)
_COUNT_DEVICES = compiled(select(func.count()).select_from(device).where(device.c.user_id == bindparam("user_id")))
_COUNT_FREE = compiled(select(func.count()).select_from(one_time_key).where(_its(one_time_key), _free))
_FIND_KEY = compiled(select(one_time_key.c.key).where(_its(one_time_key), one_time_key.c.key_id == bindparam("key_id")))
_INSERT_DEVICE = compiled(insert(device).values({column.name: bindparam(column.name) for column in device.c}))
_UPDATE_DEVICE = compiled(
    update(device)
    .values(
        device_keys=bindparam("device_keys"),
        device_name=func.coalesce(bindparam("device_name"), device.c.device_name),
    )
    .where(_its(device))
)
_SET_FALLBACK = compiled(
    update(device)
    .values(
        fallback_key_id=bindparam("key_id"),
        fallback_key=bindparam("key"),
        is_fallback_used=literal_column("0"),
    )
    .where(_its(device))
)
_INSERT_KEY = compiled(insert(one_time_key).values({column.name: bindparam(column.name) for column in one_time_key.c}))
_LIST = compiled(
    select(device.c.device_id, device.c.device_name, device.c.device_keys, device.c.created_at)
    .where(device.c.user_id == bindparam("user_id"))
    .order_by(device.c.created_at, device.c.device_id)
)
_DROP = tuple(compiled(delete(table).where(_its(table))) for table in (device, one_time_key, to_device))

# It holds the device until its transaction ends: nothing comes later that sorts before what somebody has read.
_HOLD = compiled(
    update(device).values(last_item_id=device.c.last_item_id).where(_its(device)).returning(device.c.last_item_id)
)
_SET_LAST = compiled(update(device).values(last_item_id=bindparam("id")).where(_its(device)))
_INSERT_SEALED = compiled(insert(to_device).values({column.name: bindparam(column.name) for column in to_device.c}))
_DROP_OLD = compiled(delete(to_device).where(_its(to_device), to_device.c.created_at < bindparam("cutoff")))
# Ids sort by their time: the oldest stand first, whatever inbox they lie in.
_oldest = select(to_device.c.id).order_by(to_device.c.id).limit(bindparam("limit")).offset(_OFFSET)
_DROP_OLDEST = compiled(
    delete(to_device).where(to_device.c.id.in_(_oldest), to_device.c.created_at < bindparam("cutoff"))
)
_surplus = (
    select(to_device.c.id)
    .where(_its(to_device), to_device.c.from_user_id == bindparam("from_user_id"))
    .order_by(to_device.c.id.desc())
    .limit(_NO_LIMIT)
    .offset(bindparam("most"))
)
_DROP_SURPLUS = compiled(delete(to_device).where(to_device.c.id.in_(_surplus)))
_INBOX = compiled(
    select(to_device.c.id, to_device.c.from_user_id, to_device.c.type, to_device.c.content)
    .where(_its(to_device), to_device.c.id > bindparam("after"))
    .order_by(to_device.c.id)
    .limit(bindparam("limit"))
    .offset(_OFFSET)
)
_TAKE = compiled(delete(to_device).where(_its(to_device), to_device.c.id <= bindparam("up_to")))


class SqlE2ee:
    """Implements ``E2eeStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    async def upload(self, upload: KeyUpload) -> KeyCounts:
        """Keep public keys."""
        return await self._store.write(lambda transaction: _upload(transaction, upload))

    async def counts(self, address: DeviceAddress) -> KeyCounts:
        """Count what is left."""
        values = _values(address)

        def count(reader: Reader) -> KeyCounts:
            with snapshot(reader):
                found = reader.execute(_FIND, values).fetchone()
                if found is None:
                    raise NotFound("there is no such device")
                return KeyCounts(reader.execute(_COUNT_FREE, values).fetchone()[0], _has_unused(found))

        return await self._store.read(count)

    async def devices(self, user_ids: Sequence[UserId]) -> list[list[EncryptingDevice]]:
        """Return the devices of users."""

        def query(reader: Reader) -> list[list[EncryptingDevice]]:
            with snapshot(reader):
                return [
                    [_device(user_id, row) for row in reader.execute(_LIST, {"user_id": user_id})]
                    for user_id in user_ids
                ]

        return await self._store.read(query)

    async def claim(self, addresses: Sequence[DeviceAddress]) -> list[ClaimedKey]:
        """Hand out one key of each device."""

        def claim(transaction: Transaction) -> list[ClaimedKey]:
            found = [_claim(transaction, address) for address in addresses]
            return [one for one in found if one is not None]

        return await self._store.write(claim)

    async def put(self, from_user_id: UserId, kind: str, sealed: Sequence[Sealed], once: Once | None) -> int:
        """Lay what was sealed into inboxes."""
        contents = [(one.to, orjson.dumps(one.content)) for one in sealed]
        # Devices are held in ascending order; of one, things stay in that of their sealing.
        contents.sort(key=lambda content: (content[0].user_id, content[0].device_id))

        def put(transaction: Transaction) -> int:
            return sum(_put(transaction, from_user_id, kind, to, content) for to, content in contents)

        size = sum(len(content) for _, content in contents)
        return await self._store.write(
            lambda transaction: perform_once(transaction, once, put, unchanged, unchanged), size
        )

    async def inbox(self, address: DeviceAddress, after: str, limit: int) -> list[Delivered]:
        """Return what waits for a device."""
        values = _values(address)

        def query(reader: Reader) -> list[Delivered]:
            with snapshot(reader):
                if reader.execute(_FIND, values).fetchone() is None:
                    raise NotFound("there is no such device")
                rows = reader.execute(_INBOX, {**values, "after": after, "limit": limit}).fetchall()
            return [
                Delivered(id=row[0], from_user_id=UserId(row[1]), type=row[2], content=orjson.loads(row[3]))
                for row in rows
            ]

        return await self._store.read(query)

    async def acknowledge(self, address: DeviceAddress, up_to: str) -> int:
        """Drop what was taken."""
        values = {**_values(address), "up_to": up_to}
        return await self._store.write(lambda transaction: transaction.execute(_TAKE, values).rowcount)

    async def remove(self, address: DeviceAddress) -> None:
        """Drop a device with all that is its own."""

        def remove(transaction: Transaction) -> None:
            dropped, *_ = [transaction.execute(statement, _values(address)).rowcount for statement in _DROP]
            if not dropped:
                raise NotFound("there is no such device")

        await self._store.write(remove)


def prune(transaction: Transaction, now: int, most: int) -> int:
    """Drop what nobody has fetched for 90 days, a number at ``most``; return how many."""
    return transaction.execute(_DROP_OLDEST, {"cutoff": now - KEPT_MS, "limit": most}).rowcount


def _upload(transaction: Transaction, upload: KeyUpload) -> KeyCounts:
    values = {"user_id": upload.user_id, "device_id": upload.device_id}
    found = transaction.row(_FIND, values)
    _check_device(transaction, upload, found)
    fresh = _fresh_keys(transaction, upload, values)
    free = transaction.row(_COUNT_FREE, values)[0] + len(fresh)
    if free > MAX_ONE_TIME_KEYS:
        raise Conflict(f"at most {MAX_ONE_TIME_KEYS} one-time keys of a device are kept")
    if upload.device_keys is not None:
        row = {**values, "device_name": upload.device_name, "device_keys": orjson.dumps(upload.device_keys)}
        if found is None:
            unset = {"fallback_key_id": None, "fallback_key": None, "is_fallback_used": 0, "last_item_id": None}
            transaction.execute(_INSERT_DEVICE, {**row, **unset, "created_at": transaction.now})
        else:
            transaction.execute(_UPDATE_DEVICE, row)
    stamps = {"created_at": transaction.now, "claimed_at": None}
    for key_id, encoded in fresh.items():
        transaction.execute(_INSERT_KEY, {**values, "key_id": key_id, "key": encoded, **stamps})
    for key_id, key in upload.fallback_keys.items():
        # The same one again, from an upload whose answer was lost, stays as used as it is.
        if found is None or found[1] != key_id:
            transaction.execute(_SET_FALLBACK, {**values, "key_id": key_id, "key": orjson.dumps(key)})
    return KeyCounts(free, _has_unused(transaction.row(_FIND, values)), is_new=found is None)


def _check_device(transaction: Transaction, upload: KeyUpload, found: Sequence[Any] | None) -> None:
    if found is None:
        if upload.device_keys is None:
            raise NotFound("there is no such device: upload its device_keys first")
        if transaction.row(_COUNT_DEVICES, {"user_id": upload.user_id})[0] >= MAX_DEVICES:
            raise Conflict(f"a user can have {MAX_DEVICES} devices that encrypt: remove one first")
        return
    if upload.device_keys is not None and orjson.loads(found[0])["keys"] != upload.device_keys["keys"]:
        raise Conflict("this device_id has other keys, which never change: take a new device_id")
    for key_id, key in upload.fallback_keys.items():
        if found[1] == key_id and orjson.loads(found[3]) != key:
            raise Conflict("a key of this id is another one")


def _fresh_keys(transaction: Transaction, upload: KeyUpload, values: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the keys that are not known; one that was claimed is known for good, or it would go out twice."""
    fresh = {}
    for key_id, key in upload.one_time_keys.items():
        known = transaction.row(_FIND_KEY, {**values, "key_id": key_id})
        if known is None:
            fresh[key_id] = orjson.dumps(key)
        elif orjson.loads(known[0]) != key:
            raise Conflict("a key of this id is another one")
    return fresh


def _claim(transaction: Transaction, address: DeviceAddress) -> ClaimedKey | None:
    values = _values(address)
    row = transaction.row(_CLAIM, {**values, "now": transaction.now})
    is_fallback = row is None
    if is_fallback:
        row = transaction.row(_CLAIM_FALLBACK, values)
    return None if row is None else ClaimedKey(address, row[0], orjson.loads(row[1]), is_fallback)


def _put(transaction: Transaction, from_user_id: UserId, kind: str, to: DeviceAddress, content: bytes) -> bool:
    values = _values(to)
    held = transaction.row(_HOLD, values)
    if held is None:
        return False
    transaction.execute(_DROP_OLD, {**values, "cutoff": transaction.now - KEPT_MS})
    item_id = new_id() if held[0] is None else id_after(held[0])
    transaction.execute(_SET_LAST, {**values, "id": item_id})
    row = {"id": item_id, **values, "from_user_id": from_user_id, "type": kind, "content": content}
    transaction.execute(_INSERT_SEALED, {**row, "created_at": transaction.now})
    # Of the same sender: nobody can push out what others have sent.
    transaction.execute(_DROP_SURPLUS, {**values, "from_user_id": from_user_id, "most": MAX_WAITING})
    return True


def _values(address: DeviceAddress) -> dict[str, Any]:
    return {"user_id": address.user_id, "device_id": address.device_id}


def _has_unused(found: Sequence[Any]) -> bool:
    return found[1] is not None and not found[2]


def _device(user_id: UserId, row: Sequence[Any]) -> EncryptingDevice:
    return EncryptingDevice(
        user_id=user_id, device_id=row[0], device_name=row[1], keys=orjson.loads(row[2]), created_at=row[3]
    )
