"""The JSON of the dashboard: requests read strictly, answers for the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tocsin.domain import notification as rules
from tocsin.domain.user_id import MAX_LENGTH
from tocsin.rest.models import AnyUserId, DeviceView, Instant, Strict


class SessionsQuery(Strict):
    """Which sessions."""

    find: Annotated[str, Field(max_length=MAX_LENGTH, description="Stands somewhere in the user id.")] = ""
    cursor: Annotated[str | None, Field(max_length=1_000)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class OfUser(Strict):
    """Whose."""

    user_id: AnyUserId


class NotificationsQuery(OfUser):
    """Which notifications of a user."""

    since: Instant | None = None
    until: Instant | None = None
    text: Annotated[str, Field(max_length=rules.MAX_TITLE, description="Stands in the title or the type.")] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class TestNotification(OfUser):
    """A notification that tries the way out."""

    title: Annotated[str, Field(min_length=1, max_length=rules.MAX_TITLE)] = "Test"
    message: Annotated[str, Field(max_length=rules.MAX_MESSAGE)] = "Sent from the dashboard."


class HistogramView(BaseModel):
    """Values by range since the start: `counts` has one more than `bounds`, for what is above all of them."""

    bounds: list[float]
    counts: list[int]
    total: float


class NodeView(BaseModel):
    """What a node, or one of several workers, has counted since its start."""

    name: str
    version: str
    started_at: str
    accepting: bool
    bus_connected: bool
    gauges: dict[str, float]
    counters: dict[str, float]
    histograms: dict[str, HistogramView]


class OverviewView(BaseModel):
    """The figures of all nodes that answered within a second."""

    at: str
    answered_by: str
    nodes: list[NodeView]


class SessionView(BaseModel):
    """One connection, or one reader of server-sent events; its id is for operators alone, and takes nobody over."""

    id: str
    node: str
    user_id: int | str
    transport: Literal["websocket", "polling", "sse"]
    address: str | None
    since: str
    expires_at: str
    queued_bytes: int
    sockets: dict[str, str]


class SessionPageView(BaseModel):
    """A page of sessions, by user id."""

    sessions: list[SessionView]
    next_cursor: str | None


class InboxCounts(BaseModel):
    """The user's inbox."""

    unread: int
    unseen: int
    total: int
    by_category: dict[str, int]


class BrowserView(BaseModel):
    """A browser that takes pushes: whose service it is, and since when."""

    id: str
    host: str
    created_at: str


class StreamEventView(BaseModel):
    """An event without its content; `about` is the id that it tells of."""

    seq: int
    event: str
    created_at: str
    about: str | None


class StreamStateView(BaseModel):
    """A stream: its head, what a device has acknowledged, what is no longer kept, and its last events."""

    namespace: str
    seq: int
    acked: int
    pruned: int
    events: list[StreamEventView]


class UserView(BaseModel):
    """What is known of a user."""

    user_id: int | str
    is_online: bool
    last_seen_at: str | None
    inbox: InboxCounts
    devices: list[DeviceView]
    browsers: list[BrowserView]
    topics: list[str]
    sessions: list[SessionView]
    has_more_sessions: bool
    epoch: str
    streams: list[StreamStateView]


class FoundView(BaseModel):
    """A notification, enough to know it by."""

    id: str
    type: str
    title: str
    created_at: str
    state: Literal["listed", "archived", "snoozed", "gone"]


class FoundListView(BaseModel):
    """What was found, the newest first."""

    notifications: list[FoundView]
