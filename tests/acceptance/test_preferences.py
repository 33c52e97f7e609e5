"""How a user wants to be told, and in which words: preferences and templates over REST and real sockets."""

import itertools

import pytest

from tests.acceptance.inbox_reader import NAMESPACE, Inbox, soon

_users = itertools.count(1)


@pytest.fixture
def inbox(shared_server):
    return Inbox(shared_server, f"preferring reader {next(_users)}")


async def test_preferences_are_told_and_obeyed(inbox):
    """No toast, no sound, or nothing at all but the archive."""
    async with inbox.open() as device:
        said = inbox.prefer(
            categories={"news": {"toast": False, "sound": False}, "ads": {"inbox": False}, "*": {"sound": "ding"}}
        )
        assert {} == await device.payload(NAMESPACE, "preferences_changed")
        inbox.publish(category="news", sound="bell")
        quiet = await device.payload(NAMESPACE, "notification")
        inbox.publish(category="ads", title="Buy")
        filed = await device.payload(NAMESPACE, "notification_updated")
        inbox.publish(category="orders")
        loud = await device.payload(NAMESPACE, "notification")

    assert (False, True, None) == (quiet["toast"], quiet["silent"], quiet["sound"])
    assert ("Buy", 1) == (filed["title"], filed["unread_count"])
    assert ("ding", True) == (loud["sound"], "toast" not in loud)
    assert ["Buy"] == inbox.titles(archived="true")
    assert "ads" in said["categories"]
    assert False is said["effective"]["categories"]["ads"]["inbox"]


async def test_nothing_makes_a_noise_while_muted_but_what_is_urgent(inbox):
    """It is in the inbox all the same."""
    async with inbox.open() as device:
        inbox.prefer(mute_until=soon(60))
        inbox.publish()
        muted = await device.payload(NAMESPACE, "notification")
        inbox.publish(priority="urgent")
        urgent = await device.payload(NAMESPACE, "notification")

    assert (False, True) == (muted["toast"], muted["silent"])
    assert "silent" not in urgent
    assert 2 == inbox.listed()["unread_count"]


def test_defaults_of_the_back_end_stand_beneath(shared_server, inbox):
    """A user's own word stands above them; only a publisher sets them."""
    path = "/api/preferences/defaults"
    body = {"categories": {"beneath": {"toast": False, "fcm": False}}, "locale": "ko"}
    try:
        assert 403 == shared_server.http.put(path, headers=shared_server.bearer("u"), json=body).status_code
        assert 200 == shared_server.http.put(path, headers=inbox.publisher, json=body).status_code
        effective = inbox.prefer(categories={"beneath": {"toast": True}})["effective"]
        assert (True, False) == tuple(effective["categories"]["beneath"][name] for name in ("toast", "fcm"))
        assert "ko" == effective["locale"]
    finally:
        shared_server.http.put(path, headers=inbox.publisher, json={})


@pytest.mark.parametrize(
    "said",
    [
        {"categories": {"news": {"pigeon": True}}},
        {"categories": {"news": {"sound": True}}},
        {"categories": {"": {}}},
        {"quiet_hours": {"from": "25:00", "until": "07:00"}},
        {"quiet_hours": {"from": "22:00", "until": "07:00", "time_zone": "Mars/Olympus"}},
        {"digest_hour": 24},
        {"locale": "tlh"},
        {"mute_until": "later"},
        {"mute_until": "9999-12-29T23:59:59Z"},
        {"muted": True},
    ],
    ids=str,
)
def test_wrong_preferences_are_refused(inbox, said):
    """With one line, and what was said before holds."""
    before = inbox.prefer(digest_hour=7)
    headers = {"Authorization": f"Bearer {inbox.token}"}
    answer = inbox.server.http.put("/api/preferences", headers=headers, json=said)

    assert 422 == answer.status_code, answer.text
    assert before == inbox.server.http.get("/api/preferences", headers=headers).json()


# Words


def test_templates_speak_the_users_language(inbox):
    """Else the server's; the names of the server's own words can be taken."""
    path = "/api/templates/invoice"
    locales = {
        "en": {"title": "Invoice {{ number }}", "message": "{% if days %}In {{ days }} days{% else %}Today{% endif %}"},
        "ko": {"title": "청구서 {{ number }}", "message": "{{ '<b>' }}"},
    }
    saved = inbox.server.http.put(path, headers=inbox.publisher, json={"locales": locales})
    assert ["en", "ko"] == [one["locale"] for one in saved.json()["templates"]]
    words = {"type": "invoice", "template": "invoice", "title": "", "message": ""}
    english = inbox.publish(params={"number": 7, "days": 3}, **words)
    inbox.prefer(locale="ko")
    korean = inbox.publish(params={"number": 7}, **words)

    assert ("Invoice 7", "In 3 days") == (english["title"], english["message"])
    assert ("청구서 7", "<b>") == (korean["title"], korean["message"])
    assert 204 == inbox.server.http.delete(path, headers=inbox.publisher).status_code
    refused = inbox.post(**words)
    assert (422, True) == (refused.status_code, "no template 'invoice'" in refused.json()["detail"])


@pytest.mark.parametrize(
    "title",
    [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ 'x' * 10**9 }}",
        "{{ ''.__class__.__mro__ }}{{ x.y() }}",
        "{% set a = 1 %}",
        "{{ 'x'|center(1000000000) }}",
        "{{ open",
        "{% include 'x' %}",
        "{{ '%1000000000d' % 1 }}",
        "{{ " + "(" * 1_500 + "1" + ")" * 1_500 + " }}",
        "{{ " + "not " * 900 + "1 }}",
        "{% if a is nonsense %}b{% endif %}",
        "{{ 5|round(-12000000) }}",
        "{{ l|join(l|join(s)) }}",
        "{{ l|join('xx')|join('xx') }}",
        "{{ l|join(s) }}",
    ],
)
def test_a_template_that_could_do_harm_is_refused(inbox, title):
    """Before it is kept."""
    answer = inbox.server.http.put(
        "/api/templates/harm", headers=inbox.publisher, json={"locales": {"en": {"title": title}}}
    )

    assert (422, "invalid") == (answer.status_code, answer.json()["code"])


def test_hours_without_a_zone_are_those_of_the_user(inbox):
    """A back end's default means everybody's own night; a mute is no default."""
    path = "/api/preferences/defaults"
    hours = {"from": "22:00", "until": "07:00"}
    try:
        inbox.server.http.put(path, headers=inbox.publisher, json={"quiet_hours": hours})
        effective = inbox.prefer(time_zone="Asia/Seoul")["effective"]
        assert {**hours, "time_zone": "Asia/Seoul"} == effective["quiet_hours"]
        muted = inbox.server.http.put(path, headers=inbox.publisher, json={"mute_until": "2099-01-01T00:00:00Z"})
        assert 422 == muted.status_code
    finally:
        inbox.server.http.put(path, headers=inbox.publisher, json={})
