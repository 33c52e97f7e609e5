"""English: short and warm, sentence case, no exclamation where something went wrong."""

from collections.abc import Callable

from tocsin.application.texts.facts import Facts, Text, filled, names_of
from tocsin.domain.notification import MAX_MESSAGE
from tocsin.domain.text import cut

PLATFORMS = {
    "bluesky": "Bluesky",
    "facebook": "Facebook",
    "instagram": "Instagram",
    "kakaostory": "KakaoStory",
    "kakaotalk": "KakaoTalk",
    "linkedin": "LinkedIn",
    "mastodon": "Mastodon",
    "naver_blog": "Naver Blog",
    "pinterest": "Pinterest",
    "reddit": "Reddit",
    "snapchat": "Snapchat",
    "telegram": "Telegram",
    "threads": "Threads",
    "tiktok": "TikTok",
    "tumblr": "Tumblr",
    "twitter": "X",
    "whatsapp": "WhatsApp",
    "x": "X",
    "youtube": "YouTube",
}

# Title, and a message of which {order} is "order #7" or "your order" and {Order} the same to begin with.
STATUSES = {
    "placed": ("Order received", "We've received {order}. Thank you!"),
    "paid": ("Payment received", "Your payment for {order} went through. Thank you!"),
    "packed": ("Order packed", "{Order} is packed and ready to go."),
    "shipped": ("Order shipped", "{Order} has been shipped."),
    "in_transit": ("Order on its way", "{Order} is on its way to you."),
    "out_for_delivery": ("Out for delivery", "{Order} is out for delivery. Almost there!"),
    "delivered": ("Order delivered", "{Order} has been delivered. Enjoy!"),
    "cancelled": ("Order cancelled", "{Order} has been cancelled."),
    "refunded": ("Order refunded", "{Order} has been refunded."),
}


def listed(names: list[str]) -> str:
    """Return ``A``, ``A and B`` or ``A, B and C``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _about(sentence: str, facts: Facts) -> str:
    order = f"order #{facts.order_id}" if facts.order_id else "your order"
    return sentence.format(order=order, Order=order[0].upper() + order[1:])


def _platforms(facts: Facts, preposition: str) -> str:
    names = names_of(facts.platforms, PLATFORMS)
    return f" {preposition} {listed(names)}" if names else ""


def _publish_started(facts: Facts) -> Text:
    return Text("Publishing your post", f"We're publishing your post{_platforms(facts, 'to')}.")


def _publish_success(facts: Facts) -> Text:
    return Text("Your post is live", f"Your post is now live{_platforms(facts, 'on')}.")


def _publish_failed(facts: Facts) -> Text:
    failed = f"We couldn't publish your post{_platforms(facts, 'to')}."
    message = filled(f"{failed} Reason: ", facts.error) if facts.error else f"{failed} Please try again."
    return Text("Your post wasn't published", message)


def _post_liked(facts: Facts) -> Text:
    if not facts.others:
        return Text("New like", f"{facts.name or 'Someone'} liked your post.")
    others = "1 other" if facts.others == 1 else f"{facts.others} others"
    return Text("New likes", f"{facts.name or 'Someone'} and {others} liked your post.")


def _post_commented(facts: Facts) -> Text:
    commented = f"{facts.name or 'Someone'} commented"
    message = filled(f"{commented}: “", facts.comment, "”") if facts.comment else f"{commented} on your post."
    return Text("New comment", message)


def _order_updated(facts: Facts) -> Text:
    title, sentence = STATUSES.get(facts.status_key, ("Order update", "{Order} has been updated."))
    if facts.status and facts.status_key not in STATUSES:
        return Text(title, f"{_about('{Order}', facts)}: {facts.status}")
    return Text(title, _about(sentence, facts))


def _shipment_update(facts: Facts) -> Text:
    notes = {"Location": facts.location, "Carrier": facts.carrier, "Tracking number": facts.tracking_number}
    title, sentence = STATUSES.get(facts.status_key, ("Shipment update", "There's news about {order}."))
    message = _about(sentence, facts)
    if facts.status_key not in STATUSES and facts.status:
        notes = {"Status": facts.status} | notes
    elif not facts.status and facts.location:
        message = f"{_about('{Order}', facts)} has reached {notes.pop('Location')}."
    # Without a full stop: it would be copied with the number.
    told = " · ".join(f"{label}: {value}" for label, value in notes.items() if value)
    return Text(title, f"{message} {told}".rstrip())


def _delivery_confirmed(facts: Facts) -> Text:
    return Text("Delivery confirmed", _about("{Order} has arrived. Enjoy!", facts))


def _message_received(facts: Facts) -> Text:
    title = f"New message from {facts.name}" if facts.name else "New message"
    return Text(title, cut(facts.message, MAX_MESSAGE))


def _digest(facts: Facts) -> Text:
    about = f" in {facts.category}" if facts.category else ""
    return Text(f"{facts.number} notifications{about}", " · ".join(facts.titles))


EVENTS: dict[str, Callable[[Facts], Text]] = {
    "publish_started": _publish_started,
    "publish_success": _publish_success,
    "publish_failed": _publish_failed,
    "post_liked": _post_liked,
    "post_commented": _post_commented,
    "order_updated": _order_updated,
    "shipment_update": _shipment_update,
    "delivery_confirmed": _delivery_confirmed,
    "message_received": _message_received,
    "digest": _digest,
}
