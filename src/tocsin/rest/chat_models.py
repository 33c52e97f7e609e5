"""The JSON of chat: requests, read strictly, and answers, for the OpenAPI document."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from tocsin.domain import message as rules
from tocsin.domain.conversation import Direction, PageQuery
from tocsin.domain.errors import Invalid
from tocsin.domain.message import MessageDraft
from tocsin.domain.user_id import MAX_LENGTH, UserId, parse_user_id
from tocsin.rest.models import AnyUserId, Strict

Name = Annotated[str, Field(min_length=1, max_length=rules.MAX_ATTACHMENT_NAME)]
Text = Annotated[str, Field(max_length=rules.MAX_MESSAGE)]
MessageId = Annotated[str, Field(min_length=1, max_length=64)]
Ciphertext = Annotated[dict[str, Any], Field(description="Opaque; at most 64 KiB as JSON.")]


class Attachment(Strict):
    """A link to a file that the host keeps: an https URL, or a path of its site."""

    url: Annotated[str, Field(min_length=1, max_length=rules.MAX_ATTACHMENT_URL)]
    name: Name | None = None
    type: Name | None = None
    size: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None


class NewMessage(Strict):
    """A message to one user: text, attachments or both, or a ciphertext."""

    to_user_id: AnyUserId
    message: Text = ""
    client_msg_id: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=rules.MAX_CLIENT_MSG_ID,
                description="The same one of a sender is one message, however often it is sent.",
            ),
        ]
        | None
    ) = None
    attachments: Annotated[list[Attachment], Field(max_length=rules.MAX_ATTACHMENTS)] = Field(default_factory=list)
    ciphertext: Ciphertext | None = None

    def draft(self, from_user_id: UserId) -> MessageDraft:
        """Return the message as the sender asks for it."""
        return MessageDraft(
            from_user_id=from_user_id,
            to_user_id=self.to_user_id,
            message=self.message,
            client_msg_id=self.client_msg_id,
            attachments=[one.model_dump(exclude_none=True) for one in self.attachments],
            ciphertext=self.ciphertext,
            is_by_user=True,
        )


class MessageChange(Strict):
    """Another text for an own message, or another ciphertext."""

    message: Text = ""
    ciphertext: Ciphertext | None = None


class MessagesQuery(Strict):
    """Which part of which conversation: the latest messages, or those before, after or around one."""

    with_user: Annotated[str, Field(alias="with", min_length=1, max_length=MAX_LENGTH, description="The other user.")]
    before: MessageId | None = None
    after: MessageId | None = None
    around: MessageId | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50

    def wanted(self) -> PageQuery:
        """Return what is wanted; Invalid with more than one anchor."""
        anchors: dict[Direction, str | None] = {"before": self.before, "after": self.after, "around": self.around}
        given = [(direction, anchor) for direction, anchor in anchors.items() if anchor is not None]
        if len(given) > 1:
            raise Invalid("give one of before, after and around")
        peer_id = parse_user_id(self.with_user, "with")
        return PageQuery(peer_id, *given[0], limit=self.limit) if given else PageQuery(peer_id, limit=self.limit)


class ConversationsQuery(Strict):
    """Which page of the list."""

    cursor: Annotated[str, Field(max_length=64, description="The `next_cursor` of the page before.")] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class PresenceQuery(Strict):
    """Of whom."""

    user_ids: Annotated[str, Field(min_length=1, max_length=1_024, description="User ids, separated by commas.")]


class MessageView(BaseModel):
    """A message; optional fields are there when they say something."""

    id: str
    from_user_id: int | str
    to_user_id: int | str
    message: str
    client_msg_id: str | None
    timestamp: str
    read_at: str | None
    delivered_at: str | None = None
    edited_at: str | None = None
    deleted_at: str | None = None
    attachments: list[dict[str, Any]] | None = None
    ciphertext: dict[str, Any] | None = None


class MessagesView(BaseModel):
    """Part of a conversation, the oldest message first."""

    messages: list[MessageView]
    has_before: bool
    has_after: bool
    epoch: str
    seq: int


class ConversationView(BaseModel):
    """A conversation as the caller has it."""

    user_id: int | str
    last_message: MessageView
    unread: int
    is_blocked: bool
    updated_at: str


class ConversationsView(BaseModel):
    """The caller's conversations, the one with the latest message first."""

    conversations: list[ConversationView]
    next_cursor: str | None
    unread: int
    epoch: str
    seq: int


class ReadUpToView(BaseModel):
    """Up to which message the conversation is read; null: nothing was ever written to the caller."""

    message_id: str | None


class BlockedView(BaseModel):
    """Whom the caller has blocked."""

    user_ids: list[int | str]


class SeenView(BaseModel):
    """Whether a user is there, and when not, since when."""

    user_id: int | str
    is_online: bool
    last_seen_at: str | None


class PresenceView(BaseModel):
    """Those of the users asked for that the caller may see."""

    presence: list[SeenView]
