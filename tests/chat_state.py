"""
What a device shows of a conversation: the reducer of the ``/chat`` stream's events, as docs/how-to/chat.md has it.

Every client has to do this, and nothing more.
"""

from dataclasses import dataclass

STAMPS = frozenset({"event_id", "seq", "epoch"})


@dataclass
class Chat:
    """What a device shows of one conversation, and of the list, as of ``seq``."""

    own: str
    messages: dict[str, dict]
    is_blocked: bool
    seq: int

    @property
    def unread(self) -> int:
        received = [one for one in self.messages.values() if one["to_user_id"] == self.own]
        return sum(one["read_at"] is None and "deleted_at" not in one for one in received)

    def apply(self, event, seq, payload) -> None:
        assert seq == self.seq + 1, f"{event} {seq} after {self.seq}"
        self.seq = seq
        REDUCERS[event](self, {name: value for name, value in payload.items() if name not in STAMPS})

    def put(self, payload) -> None:
        self.messages[payload["id"]] = payload

    def _up_to(self, payload):
        pair = (payload["from_user_id"], payload["to_user_id"])
        for one in self.messages.values():
            if (one["from_user_id"], one["to_user_id"]) == pair and one["id"] <= payload["message_id"]:
                yield one

    def delivered(self, payload) -> None:
        for one in self._up_to(payload):
            one.setdefault("delivered_at", payload["delivered_at"])

    def read(self, payload) -> None:
        for one in self._up_to(payload):
            if one["read_at"] is None:
                one["read_at"] = payload["read_at"]
                one.setdefault("delivered_at", payload["read_at"])

    def deleted(self, payload) -> None:
        one = self.messages[payload["message_id"]]
        one |= {"message": "", "deleted_at": payload["deleted_at"]}
        one.pop("attachments", None)

    def block(self, payload) -> None:
        self.is_blocked = payload["is_blocked"]


REDUCERS = {
    "message_received": Chat.put,
    "message_sent": Chat.put,
    "message_edited": Chat.put,
    "message_delivered": Chat.delivered,
    "message_read": Chat.read,
    "message_deleted": Chat.deleted,
    "block_changed": Chat.block,
}
