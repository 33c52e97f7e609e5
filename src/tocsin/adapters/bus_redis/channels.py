"""
Which channel carries what: a user's shard, everybody's, and the one that a node listens to itself on.

All names begin with ``tocsin:``, so that an access rule of the server is one pattern. What stands
in braces chooses the slot of a Redis Cluster.
"""

from collections.abc import Iterator
from zlib import crc32

from tocsin.adapters.bus_redis.envelope import Item
from tocsin.domain.events import find_event_type
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.user_id import UserId

# As many as a Cluster has slots. Fewer would bring a node more that is not for its users; with more, a batch
# of events would be more messages.
SHARDS = 16_384
EVERYBODY = "tocsin:all"


def shard_channel(user_id: UserId) -> str:
    """Return the channel of a user's shard."""
    return _shard(crc32(user_id.encode()) % SHARDS)


def channel_of(item: Item) -> str:
    """Return the channel of an item: everybody's where no user is named, or where all nodes follow such events."""
    user_id = item.user_id
    if user_id is None or (isinstance(item, StreamEvent) and _is_everywhere(item)):
        return EVERYBODY
    return shard_channel(user_id)


def key_of(item: StreamEvent | StreamKey) -> StreamKey:
    """Return where the log has it."""
    return item.key if isinstance(item, StreamEvent) else item


def all_channels() -> Iterator[str]:
    """Yield every channel that carries anything."""
    yield EVERYBODY
    yield from map(_shard, range(SHARDS))


def canary_channel(channel: str, node: str) -> str:
    """Return the channel that only this node listens to, in the same slot as another."""
    tag = channel if channel == EVERYBODY else channel[channel.index("{") + 1 : -1]
    return f"tocsin:{{{tag}}}:canary:{node}"


def _shard(number: int) -> str:
    return f"tocsin:{{{number}}}"


def _is_everywhere(event: StreamEvent) -> bool:
    kind = find_event_type(event.namespace, event.event)
    return kind is not None and kind.everywhere
