"""The JSON of the inbox: see ``models``."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tocsin.domain import notification as rules
from tocsin.domain.device import TOPIC
from tocsin.domain.identifier import new_id
from tocsin.domain.notification import Change, InboxFilter, NotificationDraft, Place, Priority
from tocsin.domain.template import MAX_NAME
from tocsin.domain.timestamp import from_datetime, now_ms
from tocsin.domain.user_id import UserId
from tocsin.rest.models import MAX_TTL_S, AnyUserId, Instant, Strict, ToUsers, document_recipients

Key = Annotated[str, Field(min_length=1, max_length=rules.MAX_KEY)]
CategoryName = Annotated[str, Field(min_length=1, max_length=rules.MAX_CATEGORY)]
NotificationId = Annotated[str, Field(min_length=1, max_length=64)]


def milliseconds(instant: str) -> int:
    """Return an instant of a request in milliseconds since 1970."""
    return from_datetime(datetime.fromisoformat(instant))


def _document_recipients_or_topic(schema: dict[str, Any]) -> None:
    """Say so of three."""
    document_recipients(schema)
    schema["properties"]["user_ids"]["maxItems"] = rules.MAX_BULK
    schema["properties"]["topic"] = {
        "type": "string",
        "pattern": f"^{TOPIC.pattern}$",
        "description": "Everybody who follows it.",
    }
    schema["oneOf"].append({"required": ["topic"]})


class Actor(Strict):
    """Who did it; each counts once in a group."""

    id: AnyUserId
    name: Annotated[str, Field(min_length=1, max_length=rules.MAX_ACTOR_NAME)] | None = None


class Group(Strict):
    """Which card it joins, as long as that is unread: all of one key are one card."""

    key: Key
    actor: Actor | None = None


class NewNotification(ToUsers):
    """A notification to one user (answered 201), or to many or a topic (answered 202)."""

    model_config = ConfigDict(json_schema_extra=_document_recipients_or_topic)

    user_ids: Annotated[list[AnyUserId], Field(min_length=1, max_length=rules.MAX_BULK)] | None = None
    topic: Annotated[str, Field(pattern=f"^{TOPIC.pattern}$")] | None = None
    type: Annotated[str, Field(min_length=1, max_length=rules.MAX_TYPE, examples=["order"])]
    title: Annotated[str, Field(max_length=rules.MAX_TITLE, description="Stored and shown as text.")] = ""
    message: Annotated[str, Field(max_length=rules.MAX_MESSAGE, description="Stored and shown as text.")] = ""
    data: Annotated[dict[str, Any], Field(default_factory=dict)]
    category: Annotated[str, Field(min_length=1, max_length=rules.MAX_CATEGORY)] | None = None
    priority: Priority = "normal"
    sound: Annotated[str, Field(min_length=1, max_length=rules.MAX_SOUND)] | None = None
    expires_at: Instant | None = None
    ttl_s: Annotated[int, Field(gt=0, le=MAX_TTL_S, description="Seconds from its delivery.")] | None = None
    deliver_at: Annotated[Instant, Field(description="Kept till then, and answered with 202.")] | None = None
    collapse_key: Annotated[Key, Field(description="It replaces the user's notification of this key.")] | None = None
    group: Group | None = None
    claimable: Annotated[bool, Field(description="One of the users may claim it.")] = False
    template: Annotated[str, Field(min_length=1, max_length=MAX_NAME)] | None = None
    params: Annotated[dict[str, Any], Field(default_factory=dict, description="What the template is filled with.")]

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        if self.template is None and not self.title:
            raise ValueError("title is required, or a template")
        if self.template is None and "message" not in self.model_fields_set:
            raise ValueError("message is required, or a template")
        if self.claimable and self.topic is not None:
            raise ValueError("claimable needs user_id or user_ids: a topic has no end of followers")
        if self.claimable and (self.group is not None or self.collapse_key is not None):
            raise ValueError("claimable can't be grouped or replaced: whoever has claimed it would lose it")
        if self.is_bulk and (self.claimable or self.deliver_at is not None):
            raise ValueError(f"claimable and deliver_at take at most {rules.MAX_RECIPIENTS} users")
        return self

    @model_validator(mode="after")
    def _check_expiry(self) -> Self:
        if self.expires_at is not None and self.ttl_s is not None:
            raise ValueError("expires_at and ttl_s say the same: give one")
        return self

    @model_validator(mode="after")
    def _check_recipient(self) -> Self:
        given = self.model_fields_set & {"user_id", "user_ids", "topic"}
        if len(given) != 1 or all(one is None for one in (self.user_id, self.user_ids, self.topic)):
            raise ValueError("exactly one of user_id, user_ids and topic is required")
        return self

    @property
    def is_bulk(self) -> bool:
        """Return whether they are more than one transaction takes."""
        return len(self.user_ids or ()) > rules.MAX_RECIPIENTS

    @property
    def deliver_at_ms(self) -> int | None:
        """Return the instant of a later delivery."""
        return None if self.deliver_at is None else milliseconds(self.deliver_at)

    def drafts(self) -> list[NotificationDraft]:
        """Return one draft a recipient; one without a user for a job."""
        expires_at: int | None = None
        if self.expires_at is not None:
            expires_at = milliseconds(self.expires_at)
        elif self.ttl_s is not None:
            expires_at = max(now_ms(), self.deliver_at_ms or 0) + self.ttl_s * 1000
        claim_id = new_id() if self.claimable else None
        actor = None if self.group is None else self.group.actor
        return [
            NotificationDraft(
                user_id=user_id,
                type=self.type,
                title=self.title,
                message=self.message,
                data=self.data,
                category=self.category,
                priority=self.priority,
                sound=self.sound,
                expires_at=expires_at,
                collapse_key=self.collapse_key,
                group_key=None if self.group is None else self.group.key,
                actor_id=None if actor is None else actor.id,
                actor_name=None if actor is None else actor.name,
                claim_id=claim_id,
                template=self.template,
                params=self.params,
            )
            for user_id in ([UserId("")] if self.topic is not None or self.is_bulk else self.recipients)
        ]


class ReadAll(Strict):
    """Which notifications to mark: all, or those of one category."""

    category: CategoryName | None = None


class ArchiveAll(Strict):
    """What to archive: all that is listed, of a category, or the read ones alone."""

    category: CategoryName | None = None
    read_only: bool = False


class InboxQuery(Strict):
    """Which page of the inbox."""

    unread: bool | None = None
    archived: Annotated[bool, Field(description="What is archived, and nothing else.")] = False
    snoozed: Annotated[bool, Field(description="What is snoozed, and nothing else.")] = False
    digest: Annotated[NotificationId, Field(description="What this card of a digest stands for.")] | None = None
    category: Annotated[str, Field(max_length=rules.MAX_CATEGORY)] | None = None
    type: Annotated[str, Field(max_length=rules.MAX_TYPE)] | None = None
    cursor: Annotated[str, Field(max_length=64, description="The `next_cursor` of the page before.")] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 20

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if self.archived and self.snoozed:
            raise ValueError("nothing is archived and snoozed: ask for one")
        return self

    def filter(self) -> InboxFilter:
        """Return which are listed."""
        place: Place = "archive" if self.archived else "snoozed" if self.snoozed else "inbox"
        return InboxFilter(
            unread=self.unread, category=self.category, type=self.type, place=place, digest_id=self.digest
        )


_MARKS = frozenset({"seen", "read", "archived", "snoozed_until"})


class NotificationChange(Strict):
    """
    What changes of a notification: marks of one's own, or, with the scope `publish`, content of anybody's.

    Fields that are not given stay as they are.
    """

    seen: bool | None = None
    read: Annotated[bool | None, Field(description="False: unread again.")] = None
    archived: bool | None = None
    snoozed_until: Annotated[Instant | None, Field(description="null: it comes back now.")] = None
    type: Annotated[str, Field(min_length=1, max_length=rules.MAX_TYPE)] = ""
    title: Annotated[str, Field(min_length=1, max_length=rules.MAX_TITLE)] = ""
    message: Annotated[str, Field(max_length=rules.MAX_MESSAGE)] = ""
    data: Annotated[dict[str, Any], Field(default_factory=dict)]
    category: Annotated[str, Field(min_length=1, max_length=rules.MAX_CATEGORY)] | None = None
    priority: Priority = "normal"
    sound: Annotated[str, Field(min_length=1, max_length=rules.MAX_SOUND)] | None = None
    expires_at: Instant | None = None

    @model_validator(mode="after")
    def _check_fields(self) -> Self:
        given = self.model_fields_set
        if not given:
            raise ValueError("nothing is to be changed")
        if given & _MARKS and given - _MARKS:
            raise ValueError("marks and content are changed one after the other")
        if self.seen is False:
            raise ValueError("what was seen stays seen")
        if self.archived and self.snoozed_until is not None:
            raise ValueError("nothing is archived and snoozed: choose one")
        return self

    @property
    def is_content(self) -> bool:
        """Return whether the content changes."""
        return not self.model_fields_set & _MARKS

    def marks(self) -> Change:
        """Return the change of marks."""
        until = None
        if "snoozed_until" in self.model_fields_set:
            until = 0 if self.snoozed_until is None else milliseconds(self.snoozed_until)
        return Change(seen=bool(self.seen), read=self.read, archived=self.archived, snoozed_until=until)

    def content(self) -> dict[str, Any]:
        """Return the fields of content that change."""
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        if fields.get("expires_at") is not None:
            fields["expires_at"] = milliseconds(fields["expires_at"])
        return fields


class ActorView(BaseModel):
    """One who did it."""

    id: int | str
    name: str | None


class GroupView(BaseModel):
    """Whom a card stands for: how many they are, and the latest of them."""

    key: str
    count: int
    actors: list[ActorView]


class ClaimView(BaseModel):
    """Who has claimed it; null while nobody has."""

    claimed_by: int | str | None
    claimed_at: str | None


class DigestView(BaseModel):
    """The card that stands for it (`id`), or for how many this card stands (`count`)."""

    id: str | None
    count: int | None


class NotificationView(BaseModel):
    """A stored notification."""

    id: str
    user_id: int | str
    type: str
    title: str
    message: str
    data: dict[str, Any]
    category: str | None
    priority: Priority
    sound: str | None
    timestamp: str
    seen_at: str | None
    read: bool
    read_at: str | None
    expires_at: str | None
    archived_at: str | None
    snoozed_until: str | None
    updated_at: Annotated[str | None, Field(description="When its content changed last.")] = None
    collapse_key: str | None = None
    group: GroupView | None = None
    claim: ClaimView | None = None
    digest: DigestView | None = None


class InboxView(BaseModel):
    """A page of an inbox and the stream's position in the same snapshot."""

    notifications: list[NotificationView]
    next_cursor: str | None
    unread_count: int
    epoch: str
    seq: int


class StatsView(BaseModel):
    """Counts over one inbox; ``by_category`` counts the unread, ``""`` stands for none."""

    unread: int
    unseen: int
    total: int
    by_category: dict[str, int]


class MarkedView(BaseModel):
    """How many became read."""

    marked: int


class ArchivedView(BaseModel):
    """How many were archived."""

    archived: int


class ScheduledView(BaseModel):
    """A notification that will be delivered later."""

    id: str
    deliver_at: str
    user_id: int | str | None
    topic: str | None
    title: str
    created_at: str


class ScheduledList(BaseModel):
    """What will be delivered later, one a user, or one for a topic."""

    scheduled: list[ScheduledView]


class ScheduledQuery(Strict):
    """Which page of what waits."""

    cursor: Annotated[str, Field(max_length=64, description="The `next_cursor` of the page before.")] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 20


class ScheduledPage(BaseModel):
    """What waits, in the order in which it was accepted."""

    scheduled: list[ScheduledView]
    next_cursor: str | None
