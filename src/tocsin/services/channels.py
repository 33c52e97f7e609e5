"""
Other channels for sync code: where a notification goes that nobody has seen on a socket or by push.

All functions are safe from any thread; in async code: ``service.channels``.
"""

from typing import Any

from tocsin.bootstrap.publish import bridge_here
from tocsin.domain.channel import ChannelDraft
from tocsin.domain.user_id import parse_user_id

AnyId = int | str


def add_channel(
    url: str, *, user_id: AnyId | None = None, category: str | None = None, name: str | None = None
) -> dict[str, Any]:
    """
    Let a user's notifications, or all of a category, go to a URL of Apprise's when nobody has seen them.

    The same again is the same channel.

    Args:
        url: As ``mailto://user:password@example.com?to=mina@example.com``; a secret, shown nowhere.
        user_id: Whose notifications; None: everybody's of the category.
        category: Of these only; None: all of the user's.
        name: As traces and lists call it.

    Returns:
        The channel as ``POST /api/channels`` answers it.

    Raises:
        Invalid: A field breaks a rule, nothing can be sent there, or the package is missing.
        Conflict: The user, or the category, has 20 already.
        Overloaded: The database takes no work now, or did not answer: it may have been stored.
        NotInitialized: This process knows no database.
    """
    user = None if user_id is None else parse_user_id(user_id)
    draft = ChannelDraft(user_id=user, category=category, url=url, name=name)
    return bridge_here().ask(lambda core: core.channels.add(draft)).json()


def list_channels(user_id: AnyId | None = None, category: str | None = None) -> list[dict[str, Any]]:
    """
    Return the channels of a user, of a category, or all, without their URLs.

    Raises:
        Overloaded: The database takes no work now.
        NotInitialized: This process knows no database.
    """
    user = None if user_id is None else parse_user_id(user_id)
    return [one.json() for one in bridge_here().ask(lambda core: core.channels.list(user, category))]


def remove_channel(channel_id: str) -> None:
    """
    Send nothing there any more.

    Raises:
        NotFound: There is no such channel.
        Overloaded: The database takes no work now, or did not answer: it may have been removed.
        NotInitialized: This process knows no database.
    """
    bridge_here().ask(lambda core: core.channels.remove(channel_id))
