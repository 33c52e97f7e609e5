"""End-to-end encryption over HTTP: public keys of devices, and what they seal for one another."""

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from tocsin.domain import e2ee as rules
from tocsin.domain.e2ee import DeviceAddress, KeyUpload, Sealed
from tocsin.domain.user_id import user_id_json
from tocsin.rest.answers import ONCE, api_router, json_response, no_content, problems
from tocsin.rest.callers import Caller, OnceKey, uses
from tocsin.rest.models import AnyUserId, Strict
from tocsin.rest.uses import Uses

router = api_router("e2ee")

App = Annotated[Uses, Depends(uses)]
DeviceId = Annotated[str, Field(pattern=f"^{rules.DEVICE_ID.pattern}$", examples=["KQ3VZ7XWNA"])]
Keys = Annotated[dict[str, dict[str, Any]], Field(max_length=rules.MAX_ONE_TIME_KEYS)]
ItemId = Annotated[str, Field(min_length=1, max_length=64)]


class Address(Strict):
    """One device of one user."""

    user_id: AnyUserId
    device_id: DeviceId

    def address(self) -> DeviceAddress:
        """Return it as the rules know it."""
        return DeviceAddress(self.user_id, self.device_id)


class NewKeys(Strict):
    """Public keys of an own device, as its library made and signed them."""

    device_id: DeviceId
    device_name: Annotated[str, Field(min_length=1, max_length=rules.MAX_DEVICE_NAME)] | None = None
    device_keys: Annotated[dict[str, Any], Field(description="Who the device is; never changes.")] | None = None
    one_time_keys: Keys = Field(default_factory=dict)
    fallback_keys: Annotated[dict[str, dict[str, Any]], Field(max_length=1)] = Field(default_factory=dict)


class DeviceQuery(Strict):
    """Which own device."""

    device_id: DeviceId


class QueriedUsers(Strict):
    """Whose devices."""

    user_ids: Annotated[list[AnyUserId], Field(min_length=1, max_length=rules.MAX_QUERIED)]


class Claims(Strict):
    """Of which devices one key each."""

    devices: Annotated[list[Address], Field(min_length=1, max_length=rules.MAX_CLAIMED)]


class SealedFor(Address):
    """What is sealed for one device."""

    content: Annotated[dict[str, Any], Field(description="Opaque; at most 16 KiB as JSON.")]


class ToDevices(Strict):
    """What is sealed for devices."""

    type: Annotated[str, Field(min_length=1, max_length=rules.MAX_TYPE, examples=["m.room.encrypted"])]
    messages: Annotated[list[SealedFor], Field(min_length=1, max_length=rules.MAX_SENT)]


class InboxQuery(DeviceQuery):
    """Which part of the inbox."""

    after: Annotated[str, Field(max_length=64, description="The last id already taken.")] = ""
    limit: Annotated[int, Field(ge=1, le=rules.MAX_INBOX_PAGE)] = rules.MAX_INBOX_PAGE


class Taken(DeviceQuery):
    """What the device has taken and keeps by itself."""

    up_to: ItemId


class CountsView(BaseModel):
    """What is left of a device's keys."""

    one_time_keys: int
    has_unused_fallback_key: bool


class DeviceView(BaseModel):
    """A device of the directory."""

    device_id: str
    device_name: str | None
    device_keys: dict[str, Any]
    created_at: str


class UserDevicesView(BaseModel):
    """The devices of one user, the oldest first."""

    user_id: int | str
    devices: list[DeviceView]


class DirectoryView(BaseModel):
    """The devices of users."""

    users: list[UserDevicesView]


class ClaimedKeyView(BaseModel):
    """A key that was handed out."""

    user_id: int | str
    device_id: str
    key_id: str
    key: dict[str, Any]
    is_fallback: bool


class ClaimedKeysView(BaseModel):
    """Keys that were handed out; devices without any are left out."""

    keys: list[ClaimedKeyView]


class SentView(BaseModel):
    """For how many of them there was a device."""

    sent: int


class DeliveredView(BaseModel):
    """What somebody has sealed for the device."""

    id: str
    from_user_id: int | str
    type: str
    content: dict[str, Any]


class InboxView(BaseModel):
    """What waits for a device, the oldest first."""

    messages: list[DeliveredView]


class DroppedView(BaseModel):
    """How many were dropped."""

    dropped: int


@router.post("/api/e2ee/keys", response_model=CountsView, responses=problems(404, 409, 415))
async def upload_keys(app: App, caller: Caller, body: NewKeys) -> Response:
    """Keep public keys of an own device; the same again changes nothing. At most 20 devices a user."""
    upload = KeyUpload(user_id=caller.user_id, **body.model_dump())
    return json_response((await app.encryption.upload(upload)).json())


@router.get("/api/e2ee/keys", response_model=CountsView, responses=problems(404))
async def count_keys(app: App, caller: Caller, query: Annotated[DeviceQuery, Query()]) -> Response:
    """Count what is left of an own device's keys; it uploads more when there are few."""
    return json_response((await app.encryption.counts(caller.user_id, query.device_id)).json())


@router.post("/api/e2ee/keys/query", response_model=DirectoryView, responses=problems(415, 429))
async def query_devices(app: App, caller: Caller, body: QueriedUsers) -> Response:
    """List the devices of users with their public keys; what they are worth is checked by who uses them."""
    found = await app.encryption.devices(caller.user_id, body.user_ids)
    users = [
        {"user_id": user_id_json(user_id), "devices": [one.json() for one in devices]}
        for user_id, devices in found.items()
    ]
    return json_response({"users": users})


@router.post("/api/e2ee/keys/claim", response_model=ClaimedKeysView, responses=problems(415, 429))
async def claim_keys(app: App, caller: Caller, body: Claims) -> Response:
    """Take one key of each device: a one-time key, which nobody else ever gets, or else its fallback key."""
    claimed = await app.encryption.claim(caller.user_id, [one.address() for one in body.devices])
    return json_response({"keys": [one.json() for one in claimed]})


@router.post("/api/e2ee/to-device", response_model=SentView, responses=problems(415, 429), openapi_extra=ONCE)
async def send_to_devices(app: App, caller: Caller, body: ToDevices, once: OnceKey) -> Response:
    """Send what is sealed for devices, each into its inbox; for a device that is none it is dropped."""
    sealed = [Sealed(one.address(), one.content) for one in body.messages]
    return json_response({"sent": await app.encryption.send(caller.user_id, body.type, sealed, once)})


@router.get("/api/e2ee/inbox", response_model=InboxView, responses=problems(404))
async def read_inbox(app: App, caller: Caller, query: Annotated[InboxQuery, Query()]) -> Response:
    """Read what waits for an own device, the oldest first."""
    found = await app.encryption.inbox(caller.user_id, query.device_id, query.after, query.limit)
    return json_response({"messages": [one.json() for one in found]})


@router.delete("/api/e2ee/inbox", response_model=DroppedView, responses=problems(415))
async def acknowledge_inbox(app: App, caller: Caller, body: Taken) -> Response:
    """Drop what an own device has taken, up to an id: the server needs it no more."""
    return json_response({"dropped": await app.encryption.acknowledge(caller.user_id, body.device_id, body.up_to)})


@router.delete("/api/e2ee/devices/{device_id}", status_code=204, response_model=None, responses=problems(404))
async def remove_device(app: App, caller: Caller, device_id: str) -> Response:
    """Remove an own device with its keys and its inbox; whoever talks to the user is told."""
    await app.encryption.remove(caller.user_id, device_id)
    return no_content()
