"""The words of notifications that the server writes itself."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.application.texts import english, korean, text_of
from tocsin.domain.events import REGISTRY
from tocsin.domain.notification import MAX_MESSAGE, MAX_TITLE
from tocsin.domain.text import check_text

EVENTS = english.EVENTS.keys()
LANGUAGES = ("en", "ko")
NAMES = ["민아", "지훈", "달", "Mina", "Sam", "user7", "R2D2", "10", "🎉", "김 (대표)", "선생님"]


def message(event, lang="en", **data):
    return text_of(event, data, lang).message


def title(event, lang="en", **data):
    return text_of(event, data, lang).title


def test_every_language_has_words_for_the_same():
    """Events, platforms and statuses are told in all languages or in none."""
    assert english.EVENTS.keys() == korean.EVENTS.keys()
    assert english.PLATFORMS.keys() == korean.PLATFORMS.keys()
    assert english.STATUSES.keys() == korean.STATUSES.keys()


def test_words_are_kept_for_what_a_user_is_told_of():
    """Each event of posts and orders has words, and so has a message; presence has none."""
    published = {kind.name for kind in REGISTRY if kind.publishable and kind.durable}

    assert published | {"message_received", "digest"} == EVENTS
    assert text_of("user_online", {}) is None


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        ([], "Your post is now live."),
        (["instagram"], "Your post is now live on Instagram."),
        (["instagram", "x"], "Your post is now live on Instagram and X."),
        (["instagram", "twitter", "tiktok"], "Your post is now live on Instagram, X and TikTok."),
        (["x", "twitter", "X"], "Your post is now live on X."),
        (["Naver Blog", "naver-blog"], "Your post is now live on Naver Blog."),
        (["our intranet", "youtube"], "Your post is now live on our intranet and YouTube."),
        (["  ", "youtube"], "Your post is now live on YouTube."),
    ],
)
def test_platforms_are_listed_by_their_names(platforms, expected):
    """Known ones by their proper names, each once; unknown ones as they are."""
    assert expected == message("publish_success", platforms=platforms)


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        ([], "게시물을 잘 올렸어요."),
        (["instagram"], "인스타그램에 게시물을 잘 올렸어요."),
        (["instagram", "twitter", "우리 게시판"], "인스타그램, X, 우리 게시판에 게시물을 잘 올렸어요."),
    ],
)
def test_platforms_in_korean(platforms, expected):
    """에 has one form after any name."""
    assert expected == message("publish_success", "ko", platforms=platforms)


@pytest.mark.parametrize(
    ("lang", "error", "expected"),
    [
        ("en", "", "We couldn't publish your post to Facebook. Please try again."),
        ("en", "The token\nexpired.", "We couldn't publish your post to Facebook. Reason: The token expired."),
        ("ko", "", "페이스북에 게시물을 올리지 못했어요. 다시 시도해 주세요."),
        ("ko", "토큰 만료", "페이스북에 게시물을 올리지 못했어요. 사유: 토큰 만료"),
    ],
)
def test_a_failure_says_why_or_what_to_do(lang, error, expected):
    """The reason stands there where there is one."""
    assert expected == message("publish_failed", lang, platforms=["facebook"], error=error)


@pytest.mark.parametrize("name", NAMES)
def test_korean_particles_fit_any_name(name):
    """님 stands between a name and its particle, and never twice, so 이 is right for all."""
    honoured = name if name == "선생님" else f"{name} 님"

    assert f"{honoured}이 회원님의 게시물을 좋아해요." == message("post_liked", "ko", user_name=name)
    assert f"{honoured}이 댓글을 남겼어요: “멋져요”" == message(
        "post_commented", "ko", user_name=name, comment="멋져요"
    )
    assert f"{honoured}이 메시지를 보냈어요" == title("message_received", "ko", from_name=name, message="안녕")


@pytest.mark.parametrize("event", EVENTS)
def test_no_korean_particle_with_two_forms_follows_what_was_filled_in(event):
    """Not 이/가, 을/를, 은/는, 과/와 nor 으로/로 behind a name, a number or a place."""
    fields = ("user_name", "comment", "message", "error", "location", "carrier", "tracking_number")
    for more in ({"status": "@"}, {"status": "shipped"}, {}):
        data = dict.fromkeys(fields, "@") | {"order_id": "@", "platforms": ["@", "@@"]} | more
        text = " ".join(text_of(event, data, "ko"))

        assert not re.search(r"@”?(이|가|을|를|은|는|과|와|으로|로)\b", text), text


@pytest.mark.parametrize(
    ("event", "lang", "expected"),
    [
        ("post_liked", "en", "Someone liked your post."),
        ("post_commented", "en", "Someone commented on your post."),
        ("message_received", "en", ""),
        ("post_liked", "ko", "누군가 회원님의 게시물을 좋아해요."),
        ("post_commented", "ko", "누군가 댓글을 남겼어요."),
        ("message_received", "ko", ""),
    ],
)
def test_nobody_needs_a_name(event, lang, expected):
    """A sentence is whole without the name and without what was said."""
    assert expected == message(event, lang)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("placed", ("Order received", "We've received order #1042. Thank you!")),
        ("paid", ("Payment received", "Your payment for order #1042 went through. Thank you!")),
        ("packed", ("Order packed", "Order #1042 is packed and ready to go.")),
        ("shipped", ("Order shipped", "Order #1042 has been shipped.")),
        ("out_for_delivery", ("Out for delivery", "Order #1042 is out for delivery. Almost there!")),
        ("Out for delivery", ("Out for delivery", "Order #1042 is out for delivery. Almost there!")),
        ("delivered", ("Order delivered", "Order #1042 has been delivered. Enjoy!")),
        ("cancelled", ("Order cancelled", "Order #1042 has been cancelled.")),
        ("CANCELED", ("Order cancelled", "Order #1042 has been cancelled.")),
        ("refunded", ("Order refunded", "Order #1042 has been refunded.")),
        ("customs_hold", ("Order update", "Order #1042: customs_hold")),
        ("{order}", ("Order update", "Order #1042: {order}")),
        ("", ("Order update", "Order #1042 has been updated.")),
    ],
)
def test_a_status_is_told_in_words(status, expected):
    """Known ones in a sentence, however they are spelled; unknown ones as they are."""
    assert expected == text_of("order_updated", {"order_id": 1042, "status": status})


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("placed", ("주문이 접수됐어요", "주문해 주셔서 감사합니다. (주문번호 1042)")),
        ("out_for_delivery", ("상품이 곧 도착해요", "배달을 시작했어요. 조금만 기다려 주세요! (주문번호 1042)")),
        ("refunded", ("환불이 완료됐어요", "결제하신 금액을 환불해 드렸어요. (주문번호 1042)")),
        ("통관 대기", ("주문 상태가 바뀌었어요", "현재 상태: 통관 대기 (주문번호 1042)")),
    ],
)
def test_a_status_in_korean(status, expected):
    """The number of the order stands behind the sentence."""
    assert expected == text_of("order_updated", {"order_id": 1042, "status": status}, "ko")


@pytest.mark.parametrize("order", [7, "7", "#7"])
def test_an_order_has_one_number_sign(order):
    """Whether the id comes as a number, a text, or with a sign of its own."""
    assert "Order #7 has arrived. Enjoy!" == message("delivery_confirmed", order_id=order)
    assert "Your order has arrived. Enjoy!" == message("delivery_confirmed")


@pytest.mark.parametrize(
    ("data", "english_text", "korean_text"),
    [
        ({}, "There's news about order #7.", "배송 상태가 바뀌었어요. (주문번호 7)"),
        ({"location": "Daejeon"}, "Order #7 has reached Daejeon.", "상품이 Daejeon에 도착했어요. (주문번호 7)"),
        (
            {"status": "in_transit", "location": "Daejeon", "carrier": "CJ", "tracking_number": "1-23"},
            "Order #7 is on its way to you. Location: Daejeon · Carrier: CJ · Tracking number: 1-23",
            "주문하신 상품이 고객님께 가고 있어요. (주문번호 7 · 위치 Daejeon · 택배사 CJ · 운송장번호 1-23)",
        ),
        (
            {"status": "sorting", "tracking_number": 123},
            "There's news about order #7. Status: sorting · Tracking number: 123",
            "현재 상태: sorting (주문번호 7 · 운송장번호 123)",
        ),
    ],
)
def test_a_shipment_tells_what_is_known(data, english_text, korean_text):
    """Status or place in a sentence, the rest behind it."""
    assert english_text == message("shipment_update", order_id=7, **data)
    assert korean_text == message("shipment_update", "ko", order_id=7, **data)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_long_comment_ends_in_an_ellipsis_inside_its_quotes(lang):
    """As much of it stands there as the limit of a message allows."""
    text = message("post_commented", lang, user_name="Mina", comment="가" * 10_000)

    assert MAX_MESSAGE == len(text)
    assert text.endswith("가…”")


def test_a_message_is_shown_as_it_was_written():
    """Lines stay lines; only what is too long is cut."""
    assert "two\n  lines" == message("message_received", message="two\n  lines")
    assert "a" * (MAX_MESSAGE - 1) + "…" == message("message_received", message="a" * 8_000)


def test_what_a_user_wrote_fills_in_nothing():
    """A text of a user is no template."""
    data = {"user_name": "{order}", "comment": "{0} %s ${x} <b>", "order_id": "{order}", "status": "shipped"}

    assert "{order} commented: “{0} %s ${x} <b>”" == message("post_commented", **data)
    assert "Order #{order} has been shipped." == message("order_updated", **data)


FIELDS = [
    *("platforms", "error", "user_name", "from_name", "comment", "message"),
    *("order_id", "status", "location", "carrier", "tracking_number"),
]
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text()), st.lists(st.integers())
)


@given(
    event=st.sampled_from(sorted(EVENTS)),
    lang=st.sampled_from(LANGUAGES),
    data=st.dictionaries(st.sampled_from(FIELDS), ANYTHING),
    much=st.integers(1, 500),
)
def test_any_data_gives_a_text_that_can_be_stored(event, lang, data, much):
    """Wrong types count as missing, long values are cut; nothing is raised."""
    data = {name: value * much if isinstance(value, str | list) else value for name, value in data.items()}
    text = text_of(event, data, lang)

    check_text("title", text.title, MAX_TITLE)
    check_text("message", text.message, MAX_MESSAGE, least=0)


@pytest.mark.parametrize("order", [10**6000, True, None, 1.5, [7], {"id": 7}], ids=lambda value: type(value).__name__)
def test_what_is_no_id_counts_as_missing(order):
    """A sentence without the number is better than none."""
    assert "Your order has arrived. Enjoy!" == message("delivery_confirmed", order_id=order)
