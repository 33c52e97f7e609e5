"""
Korean: polite (해요체), short, warm.

A particle whose form hangs on the last syllable (이/가, 을/를, 은/는, 과/와, 으로/로)
never follows a name, a number or a word of somebody else: how "X", "7" or "🎉" is
read aloud is anybody's guess. ``님`` stands between, or a particle with one form (에, 의).
"""

from collections.abc import Callable

from tocsin.application.texts.facts import Facts, Text, filled, names_of
from tocsin.domain.notification import MAX_MESSAGE
from tocsin.domain.text import cut

PLATFORMS = {
    "bluesky": "블루스카이",
    "facebook": "페이스북",
    "instagram": "인스타그램",
    "kakaostory": "카카오스토리",
    "kakaotalk": "카카오톡",
    "linkedin": "링크드인",
    "mastodon": "마스토돈",
    "naver_blog": "네이버 블로그",
    "pinterest": "핀터레스트",
    "reddit": "레딧",
    "snapchat": "스냅챗",
    "telegram": "텔레그램",
    "threads": "스레드",
    "tiktok": "틱톡",
    "tumblr": "텀블러",
    "twitter": "X",
    "whatsapp": "왓츠앱",
    "x": "X",
    "youtube": "유튜브",
}

STATUSES = {
    "placed": ("주문이 접수됐어요", "주문해 주셔서 감사합니다."),
    "paid": ("결제가 완료됐어요", "결제해 주셔서 감사합니다. 곧 상품을 준비할게요."),
    "packed": ("상품 포장을 마쳤어요", "포장을 마쳤어요. 곧 발송할게요."),
    "shipped": ("상품이 발송됐어요", "주문하신 상품이 출발했어요."),
    "in_transit": ("상품이 배송 중이에요", "주문하신 상품이 고객님께 가고 있어요."),
    "out_for_delivery": ("상품이 곧 도착해요", "배달을 시작했어요. 조금만 기다려 주세요!"),
    "delivered": ("배송이 완료됐어요", "주문하신 상품이 잘 도착했어요. 이용해 주셔서 감사합니다."),
    "cancelled": ("주문이 취소됐어요", "주문 취소가 완료됐어요."),
    "refunded": ("환불이 완료됐어요", "결제하신 금액을 환불해 드렸어요."),
}


def honoured(name: str) -> str:
    """Return the name with 님, unless it has it already."""
    return name if name.endswith("님") else f"{name} 님"


def _who(facts: Facts) -> str:
    return f"{honoured(facts.name)}이" if facts.name else "누군가"


def _platforms(facts: Facts) -> str:
    names = names_of(facts.platforms, PLATFORMS)
    return f"{', '.join(names)}에 " if names else ""


def _noted(message: str, notes: dict[str, str]) -> str:
    told = " · ".join(f"{label} {value}" for label, value in notes.items() if value)
    return f"{message} ({told})" if told else message


def _publish_started(facts: Facts) -> Text:
    return Text("게시물을 올리는 중이에요", f"{_platforms(facts)}게시물을 올리고 있어요.")


def _publish_success(facts: Facts) -> Text:
    return Text("게시물이 올라갔어요", f"{_platforms(facts)}게시물을 잘 올렸어요.")


def _publish_failed(facts: Facts) -> Text:
    failed = f"{_platforms(facts)}게시물을 올리지 못했어요."
    message = filled(f"{failed} 사유: ", facts.error) if facts.error else f"{failed} 다시 시도해 주세요."
    return Text("게시물을 올리지 못했어요", message)


def _post_liked(facts: Facts) -> Text:
    who = f"{honoured(facts.name)} 외 {facts.others}명이" if facts.name and facts.others else _who(facts)
    return Text("좋아요를 받았어요", f"{who} 회원님의 게시물을 좋아해요.")


def _post_commented(facts: Facts) -> Text:
    commented = f"{_who(facts)} 댓글을 남겼어요"
    message = filled(f"{commented}: “", facts.comment, "”") if facts.comment else f"{commented}."
    return Text("새 댓글이 달렸어요", message)


def _order_updated(facts: Facts) -> Text:
    title, message = STATUSES.get(facts.status_key) or (
        "주문 상태가 바뀌었어요",
        f"현재 상태: {facts.status}" if facts.status else "주문 내역에서 확인해 주세요.",
    )
    return Text(title, _noted(message, {"주문번호": facts.order_id}))


def _shipment_update(facts: Facts) -> Text:
    notes = {"주문번호": facts.order_id, "위치": facts.location}
    if (known := STATUSES.get(facts.status_key)) is not None:
        title, message = known
    else:
        title, message = "배송 소식이 있어요", "배송 상태가 바뀌었어요."
        if facts.status:
            message = f"현재 상태: {facts.status}"
        elif facts.location:
            message = f"상품이 {facts.location}에 도착했어요."
            del notes["위치"]
    return Text(title, _noted(message, notes | {"택배사": facts.carrier, "운송장번호": facts.tracking_number}))


def _delivery_confirmed(facts: Facts) -> Text:
    title, message = STATUSES["delivered"]
    return Text(title, _noted(message, {"주문번호": facts.order_id}))


def _message_received(facts: Facts) -> Text:
    title = f"{honoured(facts.name)}이 메시지를 보냈어요" if facts.name else "새 메시지가 도착했어요"
    return Text(title, cut(facts.message, MAX_MESSAGE))


def _digest(facts: Facts) -> Text:
    about = f"{facts.category}: " if facts.category else ""
    return Text(f"{about}새 알림 {facts.number}개", " · ".join(facts.titles))


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
