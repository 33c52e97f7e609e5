"""Other channels put together: who may set up what, and the route by which the relay sends."""

from operator import attrgetter
from typing import NamedTuple

from tocsin.adapters.apprise_channel import AppriseSender
from tocsin.adapters.sql.channels import SqlChannels
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.application.channels import Channels
from tocsin.application.push import Route
from tocsin.domain.channel import Channel
from tocsin.domain.user_id import UserId


class OpenedChannels(NamedTuple):
    """The use-cases, and the route of the relay."""

    use_cases: Channels
    route: Route[Channel]


def open_channels(store: OpenStore) -> OpenedChannels:
    """Return other channels over a store that need not have started."""
    kept = SqlChannels(store)
    sender = AppriseSender()

    async def of_user(user_id: UserId) -> list[Channel]:
        return await kept.find(user_id, None)

    async def keep(_: Channel) -> bool:
        return False  # only a back end knows that one is no more

    label = attrgetter("label")
    return OpenedChannels(
        Channels(kept, sender), Route(sender, of_user, keep, channel="channels", label=label, find_in=kept.find)
    )
