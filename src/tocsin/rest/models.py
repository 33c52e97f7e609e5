"""
The JSON of requests, read strictly, and of answers, for the OpenAPI document.

A request model refuses a wrong type, an unknown field and what is too long, so
sender, time and id can't be smuggled in. Answers are written by the domain's
own ``json()``; their models document them and schemathesis holds them to it.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from tocsin.domain import device as device_rules
from tocsin.domain import notification as rules
from tocsin.domain.device import DeviceKind, Platform
from tocsin.domain.events import NAMESPACES
from tocsin.domain.user_id import MAX_LENGTH, UserId, parse_user_id

MAX_TTL_S = 10 * 366 * 24 * 3600
_LONGEST_INSTANT = 40

_USER_ID_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}],
    "description": "A printable string or an integer; 456 and '456' are one user.",
    "examples": [456],
}


def _instant(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("needs an offset from UTC, such as Z")
    # A year-1 instant with an offset lies before what a datetime can say.
    if not datetime(1970, 1, 2, tzinfo=UTC) < moment < datetime(9999, 12, 30, tzinfo=UTC):
        raise ValueError("must lie between 1970 and 9999")
    return text


AnyUserId = Annotated[UserId, PlainValidator(parse_user_id), WithJsonSchema(_USER_ID_SCHEMA)]
Recipients = Annotated[list[AnyUserId], Field(min_length=1, max_length=rules.MAX_RECIPIENTS)]
Instant = Annotated[
    str,
    Field(max_length=_LONGEST_INSTANT),
    AfterValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Strict(BaseModel):
    """Wrong types and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def document_recipients(schema: dict[str, Any]) -> None:
    """Say what a type can't: exactly one of the two is given."""
    schema["properties"]["user_id"] = _USER_ID_SCHEMA
    schema["properties"]["user_ids"] = {
        "type": "array",
        "items": _USER_ID_SCHEMA,
        "minItems": 1,
        "maxItems": rules.MAX_RECIPIENTS,
    }
    schema["oneOf"] = [{"required": ["user_id"]}, {"required": ["user_ids"]}]


class ToUsers(Strict):
    """Whom it is for: exactly one of ``user_id`` and ``user_ids``."""

    model_config = ConfigDict(json_schema_extra=document_recipients)

    user_id: AnyUserId | None = None
    user_ids: Recipients | None = None

    @model_validator(mode="after")
    def _check_recipient(self) -> Self:
        given = self.model_fields_set & {"user_id", "user_ids"}
        if len(given) != 1 or (self.user_id is None and self.user_ids is None):
            raise ValueError("exactly one of user_id and user_ids is required")
        return self

    @property
    def recipients(self) -> list[UserId]:
        """Return each recipient once."""
        if self.user_id is not None:
            return [self.user_id]
        return list(dict.fromkeys(self.user_ids or ()))


class NewEvent(ToUsers):
    """An event of ``/sns``, ``/orders`` or presence to one user or many."""

    namespace: Literal[NAMESPACES]  # type: ignore[valid-type]
    event: Annotated[str, Field(min_length=1, max_length=64, examples=["order_updated"])]
    data: dict[str, Any] = {}
    durable: Annotated[bool | None, Field(description="False: at most once, kept in no stream.")] = None


class StreamQuery(Strict):
    """Which run of the stream."""

    after: Annotated[int, Field(ge=0, le=2**53 - 1, description="The last seq already known.")] = 0
    limit: Annotated[int, Field(ge=1, le=1_000)] = 200


class NoFields(Strict):
    """Nothing can be chosen: the token says whose it is."""


class RegisteredDevice(Strict):
    """Which device: its address, as the vendor gave it to the app."""

    token: Annotated[
        str, Field(min_length=1, max_length=device_rules.MAX_TOKEN, pattern=r"^[!-~]+$", description="Never shown.")
    ]
    kind: Annotated[DeviceKind, Field(description="FCM registration token, or Firebase installation id.")] = "token"


class NewDevice(RegisteredDevice):
    """A device to register for push."""

    platform: Platform
    device_name: Annotated[str, Field(min_length=1, max_length=device_rules.MAX_DEVICE_NAME)] | None = None


class TopicName(Strict):
    """Which topic."""

    topic: Annotated[
        str, Field(min_length=1, max_length=device_rules.MAX_TOPIC, pattern=r"^[a-zA-Z0-9\-_.~%]+$", examples=["news"])
    ]


class DeviceView(BaseModel):
    """A registered device; at most the last four characters of its token are shown."""

    id: str
    token: str
    kind: DeviceKind
    platform: Platform
    device_name: str | None
    created_at: str
    last_seen_at: str


class DevicesView(BaseModel):
    """Devices and topics of one user."""

    devices: list[DeviceView]
    topics: list[str]


class RemovedView(BaseModel):
    """How many devices were removed."""

    removed: int


class SubscriptionView(BaseModel):
    """Whether the user follows the topic now."""

    topic: str
    subscribed: bool


class Job(BaseModel):
    """A write to many users: it goes on after the answer and can be asked for, or is done by then and has no id."""

    id: str | None
    topic: str | None = None
    state: Literal["running", "done"]
    total: int
    done: int
    created_at: str | None = None
    finished_at: str | None = None


class JobView(BaseModel):
    """The answer to a write to many users."""

    job: Job


class EventView(BaseModel):
    """A committed event, as its stream keeps it."""

    seq: int
    event_id: str
    event: str
    created_at: str
    data: dict[str, Any]


class StreamView(BaseModel):
    """A run of a stream: events with ``after < seq``, ascending."""

    events: list[EventView]
    epoch: str
    seq: int
    pruned: int


class StateView(BaseModel):
    """The state of the node."""

    status: Literal["ok", "ready"]


class ProblemView(BaseModel):
    """A refusal (RFC 9457); `code` is stable."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    retryable: bool
    retry_after_s: float | None = None
