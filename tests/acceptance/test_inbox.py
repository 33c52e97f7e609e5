"""The inbox people want, over REST and real sockets: marks, snoozes, cards for many, claims, schedules, words."""

import asyncio
import datetime as dt
import itertools
import threading

import pytest

from tests.acceptance.inbox_reader import INBOX, NAMESPACE, Inbox, soon
from tests.acceptance.wire_socket import eventually

_users = itertools.count(1)


@pytest.fixture
def inbox(shared_server):
    return Inbox(shared_server, f"inbox reader {next(_users)}")


# Marks


def test_the_places_of_an_inbox_are_apart(inbox):
    """What is archived or snoozed is in neither list nor badge, and in its own list."""
    kept, archived, snoozed = (inbox.publish(title=title) for title in ("kept", "archived", "snoozed"))
    inbox.change(archived, archived=True)
    inbox.change(snoozed, snoozed_until=soon(3600))

    assert (["kept"], 1) == (inbox.titles(), inbox.listed()["unread_count"])
    assert ["archived"] == inbox.titles(archived="true")
    assert ["snoozed"] == inbox.titles(snoozed="true")
    stats = inbox.request("GET", "/stats").json()
    assert (1, 1, 1) == (stats["unread"], stats["unseen"], stats["total"])
    assert inbox.change(archived, archived=False)["archived_at"] is None
    assert inbox.change(snoozed, snoozed_until=None)["snoozed_until"] is None
    assert ["snoozed", "archived", "kept"] == inbox.titles()
    assert kept["archived_at"] is None


def test_read_can_be_taken_back(inbox):
    """And the badge counts it again; what was seen stays seen."""
    created = inbox.publish()
    assert inbox.change(created, read=True)["read"]
    assert 0 == inbox.listed()["unread_count"]
    unread = inbox.change(created, read=False)

    assert (False, None, 1) == (unread["read"], unread["read_at"], inbox.listed()["unread_count"])
    assert unread["seen_at"] is not None


async def test_a_snooze_ends_by_itself_on_every_device(inbox):
    """It comes back unread, at the top, as a notification that rings, with the id that it had."""
    created = inbox.publish(title="later")
    inbox.publish(title="meanwhile")
    async with inbox.open() as phone, inbox.open() as laptop:
        inbox.change(created, read=True, snoozed_until=soon(0.3))
        for device in (phone, laptop):
            told = await device.payload(NAMESPACE, "notification_updated")
            assert (created["id"], 1) == (told["id"], told["unread_count"])
            back = await device.payload(NAMESPACE, "notification")
            assert (created["id"], False, None, 2) == (
                *(back[name] for name in ("id", "read", "snoozed_until")),
                back["unread_count"],
            )
    assert ["later", "meanwhile"] == inbox.titles()


def test_archiving_all_may_spare_the_unread(inbox):
    """Of a category, or of all."""
    inbox.change(inbox.publish(title="read", category="news"), read=True)
    inbox.publish(title="unread", category="news")
    inbox.publish(title="other")

    assert {"archived": 1} == inbox.request("POST", "/archive-all", json={"read_only": True}).json()
    assert ["other", "unread"] == inbox.titles()
    assert {"archived": 1} == inbox.request("POST", "/archive-all", json={"category": "news"}).json()
    assert {"archived": 1} == inbox.request("POST", "/archive-all").json()
    assert ([], 0) == (inbox.titles(), inbox.listed()["unread_count"])


@pytest.mark.parametrize(
    "marks",
    [
        {},
        {"read": "yes"},
        {"seen": False},
        {"snoozed_until": "2020-01-01T00:00:00Z"},
        {"snoozed_until": "2099-01-01"},
        {"archived": True, "snoozed_until": "2099-01-01T00:00:00Z"},
        {"read": True, "title": "Mine"},
        {"claimed_by": 1},
    ],
    ids=str,
)
def test_a_wrong_change_is_refused(inbox, marks):
    """With one line, and nothing changes."""
    created = inbox.publish()
    answer = inbox.request("PATCH", f"/{created['id']}", json=marks)

    assert answer.status_code == 422, answer.text
    assert created == inbox.request("GET", f"/{created['id']}").json()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "", {"archived": True}), ("PATCH", "", {"read": False}), ("POST", "/claim", None)],
)
def test_somebody_elses_is_not_found(inbox, method, path, body):
    """As if there were none."""
    created = inbox.publish(user_id="somebody else")
    answer = inbox.request(method, f"/{created['id']}{path}", json=body)

    assert (404, "not_found") == (answer.status_code, answer.json()["code"])


# Content


async def test_a_publisher_changes_the_content_everywhere(inbox):
    """Without a noise, and whatever became of it; a user can't."""
    created = inbox.publish(title="Typo", data={"old": 1})
    inbox.change(created, read=True)
    async with inbox.open() as device:
        path = f"{INBOX}/{created['id']}"
        body = {"title": "No typo", "data": {"new": 2}}
        answer = inbox.server.http.patch(path, headers=inbox.publisher, json=body)
        told = await device.payload(NAMESPACE, "notification_updated")

    changed = answer.json()
    assert ("No typo", {"new": 2}, True) == (changed["title"], changed["data"], changed["read"])
    assert {"id": created["id"], "title": "No typo", "data": {"new": 2}} == {
        name: told[name] for name in ("id", "title", "data")
    }
    assert "message" not in told
    assert changed == inbox.request("GET", f"/{created['id']}").json()
    assert 403 == inbox.request("PATCH", f"/{created['id']}", json={"title": "Mine"}).status_code


# One card for many


async def test_an_update_replaces_the_card(inbox):
    """Also a read one; a client is told to take the old one out before the new one comes."""
    first = inbox.publish(title="Build 12 runs", collapse_key="build-12")
    inbox.change(first, read=True)
    async with inbox.open() as device:
        second = inbox.publish(title="Build 12 has passed", collapse_key="build-12")
        gone = await device.payload(NAMESPACE, "notification_deleted")
        came = await device.payload(NAMESPACE, "notification")

    assert (first["id"], "replaced", second["id"]) == (gone["id"], gone["reason"], gone["replaced_by"])
    assert (second["id"], 1) == (came["id"], came["unread_count"])
    assert ["Build 12 has passed"] == inbox.titles()


def test_of_one_request_the_last_of_a_key_stays(inbox):
    """Two publishers at once leave one card."""
    threads = [
        threading.Thread(target=inbox.publish, kwargs={"title": f"{number}", "collapse_key": "k"})
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(inbox.titles()) == inbox.listed()["unread_count"]


def test_a_group_counts_each_actor_once(inbox):
    """In the words of the server, in the user's language; the latest are named."""
    inbox.prefer(locale="ko")
    for number in [1, 2, 3, 4, 5, 6, 6]:
        inbox.publish(
            type="post_liked",
            title="",
            message="",
            template="post_liked",
            params={"user_name": f"Mina {number}"},
            group={"key": "likes-9", "actor": {"id": number, "name": f"Mina {number}"}},
        )

    (card,) = inbox.listed()["notifications"]
    assert (6, [6, 5, 4, 3, 2]) == (card["group"]["count"], [one["id"] for one in card["group"]["actors"]])
    assert "Mina 6 님 외 5명이 회원님의 게시물을 좋아해요." == card["message"]


async def test_who_is_counted_already_makes_no_noise(inbox):
    """The card says what is new, silently, and stays where it is."""
    group = {"key": "likes", "actor": {"id": 1, "name": "Mina"}}
    inbox.publish(group=group)
    async with inbox.open() as device:
        again = inbox.publish(group=group, title="Once more")
        told = await device.payload(NAMESPACE, "notification_updated")

    assert (again["id"], "Once more", 1) == (told["id"], told["title"], told["group"]["count"])
    assert [again] == inbox.listed()["notifications"]


def test_a_read_card_is_left_alone(inbox):
    """What comes after it begins a new one."""
    first = inbox.publish(group={"key": "likes", "actor": {"id": 1}})
    inbox.change(first, read=True)
    inbox.publish(group={"key": "likes", "actor": {"id": 2}})

    assert [1, 1] == [one["group"]["count"] for one in inbox.listed()["notifications"]]


# Claims


async def test_of_many_tries_at_once_one_wins(inbox):
    """The others learn who; every card shows it."""
    users = [f"{inbox.user_id} helper {number}" for number in range(20)]
    inbox.publish(user_ids=users, claimable=True, title="Who takes it?")
    helpers = [Inbox(inbox.server, user) for user in users]
    (first, *_) = [helper.listed()["notifications"][0] for helper in helpers]
    assert {"claimed_by": None, "claimed_at": None} == first["claim"]
    async with helpers[0].open() as device:
        ids = [helper.listed()["notifications"][0]["id"] for helper in helpers]
        answers = await asyncio.gather(
            *[
                asyncio.to_thread(helper.request, "POST", f"/{one}/claim")
                for helper, one in zip(helpers, ids, strict=True)
            ]
        )
        told = await device.payload(NAMESPACE, "notification_updated")

    codes = [answer.status_code for answer in answers]
    assert (1, 19) == (codes.count(200), codes.count(409))
    winner = users[codes.index(200)]
    assert {winner} == {answer.json()["claimed_by"] for answer in answers if answer.status_code == 409}
    assert {"already_claimed"} == {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert (ids[0], winner) == (told["id"], told["claim"]["claimed_by"])
    assert {winner} == {helper.listed()["notifications"][0]["claim"]["claimed_by"] for helper in helpers}
    again = helpers[codes.index(200)].request("POST", f"/{ids[codes.index(200)]}/claim")
    assert 200 == again.status_code
    ordinary = inbox.publish()
    assert "conflict" == inbox.request("POST", f"/{ordinary['id']}/claim").json()["code"]


# Time


async def test_what_has_expired_goes_everywhere(inbox):
    """Its devices are told, and the badge with it."""
    async with inbox.open() as device:
        created = inbox.publish(expires_at=soon(2))
        gone = await device.payload(NAMESPACE, "notification_deleted")

    assert (created["id"], "expired", 0) == (gone["id"], gone["reason"], gone["unread_count"])
    assert ([], 0) == (inbox.titles(), inbox.listed()["unread_count"])


async def test_it_is_delivered_at_its_time(inbox):
    """Nobody sees it before; its id is the one that was answered."""
    async with inbox.open() as device:
        answer = inbox.post(title="Tomorrow", deliver_at=soon(0.4), ttl_s=60)
        (kept,) = answer.json()["scheduled"]
        assert (202, "Tomorrow", inbox.user_id) == (answer.status_code, kept["title"], kept["user_id"])
        assert ([], 404) == (inbox.titles(), inbox.request("GET", f"/{kept['id']}").status_code)
        came = await device.payload(NAMESPACE, "notification")

    assert (kept["id"], "Tomorrow") == (came["id"], came["title"])
    lives = dt.datetime.fromisoformat(came["expires_at"]) - dt.datetime.fromisoformat(came["timestamp"])
    assert lives.total_seconds() == pytest.approx(60, abs=1.5)


def test_what_is_scheduled_is_listed_and_can_be_taken_back(inbox):
    """Months ahead, for many, and for a topic."""
    at = "2031-06-01T12:00:00Z"
    kept = inbox.publish(user_ids=["a", "b"], deliver_at=at)["scheduled"]
    kept += inbox.publish(topic="news", deliver_at=at)["scheduled"]

    def waiting(**query):
        answer = inbox.server.http.get(f"{INBOX}/scheduled", headers=inbox.publisher, params=query)
        return answer.json()

    assert kept == waiting(limit=200)["scheduled"][-3:]
    assert kept[1:] == waiting(cursor=kept[0]["id"])["scheduled"]
    for one in kept:
        path = f"{INBOX}/{one['id']}"
        assert 204 == inbox.server.http.delete(path, headers=inbox.publisher).status_code
        assert 404 == inbox.server.http.delete(path, headers=inbox.publisher).status_code
    assert not {one["id"] for one in kept} & {one["id"] for one in waiting(limit=200)["scheduled"]}
    assert 403 == inbox.request("GET", "/scheduled").status_code
    assert 422 == inbox.post(deliver_at=at, expires_at="2031-05-01T00:00:00Z").status_code


async def test_a_topic_gets_it_at_its_time(inbox):
    """Who follows it then."""
    headers = {"Authorization": f"Bearer {inbox.token}"}
    inbox.server.http.post("/api/fcm/subscribe-topic", headers=headers, json={"topic": "later"})
    inbox.publish(topic="later", title="Now", deliver_at=soon(0.2))

    await eventually(lambda: inbox.titles() == ["Now"])


def test_an_idempotency_key_makes_each_happen_once(inbox):
    """Also what is scheduled, archived and changed."""
    headers = inbox.publisher | {"Idempotency-Key": f"{inbox.user_id} 1"}
    body = {"user_id": inbox.user_id, "type": "t", "title": "T", "message": "", "deliver_at": "2031-01-01T00:00:00Z"}
    first, second = (inbox.server.http.post(INBOX, headers=headers, json=body).json() for _ in range(2))

    assert first == second
    path = f"{INBOX}/{first['scheduled'][0]['id']}"
    assert 204 == inbox.server.http.delete(path, headers=inbox.publisher).status_code


async def test_a_long_list_is_a_job_with_progress(inbox):
    """More than one transaction takes; 202 comes at once."""
    users = [f"{inbox.user_id} bulk {number}" for number in range(1_500)]
    job = inbox.publish(user_ids=users, title="All of you")["job"]
    assert ("running", 1_500, None) == (job["state"], job["total"], job["topic"])

    def progress():
        return inbox.server.http.get(f"/api/jobs/{job['id']}", headers=inbox.publisher).json()["job"]

    done = await eventually(lambda: (found := progress())["state"] == "done" and found)
    assert 1_500 == done["done"]
    assert ["All of you"] == Inbox(inbox.server, users[-1]).titles()
    assert 422 == inbox.post(user_ids=users, claimable=True).status_code


async def test_a_retry_after_its_time_gets_the_first_answer(inbox):
    """And nothing is delivered twice; a time that has passed is now."""
    headers = inbox.publisher | {"Idempotency-Key": f"{inbox.user_id} late"}
    body = {"user_id": inbox.user_id, "type": "t", "title": "T", "message": "", "deliver_at": soon(0.2)}
    first = inbox.server.http.post(INBOX, headers=headers, json=body)
    await eventually(lambda: inbox.titles() == ["T"])
    again = inbox.server.http.post(INBOX, headers=headers, json=body)
    inbox.publish(title="Late", deliver_at="2020-01-01T00:00:00Z")

    assert (202, first.json()) == (again.status_code, again.json())
    await eventually(lambda: inbox.titles() == ["Late", "T"])
