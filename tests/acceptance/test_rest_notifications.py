"""The inbox over a real connection: create, list, count, mark, delete."""

import datetime as dt
import itertools

import pytest

INBOX = "/api/notifications"
_users = itertools.count(1)


@pytest.fixture
def inbox(shared_server):
    return Inbox(shared_server, f"reader {next(_users)}")


class Inbox:
    """One user's inbox and the back end that fills it."""

    def __init__(self, server, user_id):
        self.server = server
        self.user_id = user_id
        self.reader = server.bearer(user_id)
        self.publisher = server.bearer("back end", "publish")

    def publish(self, **fields):
        body = {"user_id": self.user_id, "type": "order", "title": "Shipped", "message": "On its way"} | fields
        answer = self.server.http.post(INBOX, headers=self.publisher, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, path="", **query):
        answer = self.server.http.get(INBOX + path, headers=self.reader, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events(self):
        answer = self.server.http.get("/api/stream/notifications", headers=self.reader)
        return [event["event"] for event in answer.json()["events"]]

    def request(self, method, path, **options):
        return self.server.http.request(method, INBOX + path, headers=self.reader, **options)


def test_created_with_defaults(inbox):
    """201 shows the stored notification, with its id, time and defaults."""
    created = inbox.publish()
    written = dt.datetime.fromisoformat(created["timestamp"])

    assert created == {
        "id": created["id"],
        "user_id": inbox.user_id,
        "type": "order",
        "title": "Shipped",
        "message": "On its way",
        "data": {},
        "category": None,
        "priority": "normal",
        "sound": None,
        "timestamp": created["timestamp"],
        "seen_at": None,
        "read": False,
        "read_at": None,
        "expires_at": None,
        "archived_at": None,
        "snoozed_until": None,
    }
    assert created["timestamp"].endswith("Z")
    assert abs(dt.datetime.now(dt.UTC) - written) < dt.timedelta(minutes=1)


def test_created_with_every_field(inbox):
    """Every field comes back as it was given."""
    fields = {
        "data": {"order_id": 7, "nested": [1.5, None, {"가": "🔔"}]},
        "category": "orders",
        "priority": "urgent",
        "sound": "ping.mp3",
        "expires_at": "2099-01-02T04:04:05.678+01:00",
    }
    created = inbox.publish(**fields)

    assert created | fields | {"expires_at": "2099-01-02T03:04:05.678Z"} == created
    assert inbox.get(f"/{created['id']}") == created


def test_ttl_sets_the_expiry(inbox):
    """`ttl_s` counts from now."""
    created = inbox.publish(ttl_s=3600)
    expiry = dt.datetime.fromisoformat(created["expires_at"])

    assert abs(expiry - dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    "to",
    [
        {"user_id": 1},
        {"user_ids": [1, 2]},
        {"user_ids": [*range(1_001)]},
        {"topic": "sale"},
        {"user_id": 1, "deliver_at": "2019-01-01T00:00:00Z"},
        {"topic": "sale", "deliver_at": "2019-01-01T00:00:00Z"},
    ],
)
def test_one_that_has_expired_already_is_refused(inbox, to):
    """It would ring on every device and be in no list: nothing is made of it, now or later."""
    body = {"type": "order", "title": "Shipped", "message": "", "expires_at": "2020-01-01T00:00:00Z"} | to
    answer = inbox.server.http.post(INBOX, headers=inbox.publisher, json=body)

    assert (422, "invalid") == (answer.status_code, answer.json()["code"])
    assert "expires_at is over" in answer.json()["detail"]


def test_to_many_users(shared_server):
    """Each of many users gets one, once, and the answer is 202 with a finished job, which there is no asking for."""
    users = [f"crowd {number}" for number in range(30)]
    body = {"user_ids": [*users, *users], "type": "news", "title": "t", "message": "m"}
    answer = shared_server.http.post(INBOX, headers=shared_server.bearer("b", "publish"), json=body)
    job = answer.json()["job"]

    assert answer.status_code == 202
    assert job == {"id": None, "state": "done", "total": 30, "done": 30}
    for user in users:
        listed = shared_server.http.get(INBOX, headers=shared_server.bearer(user)).json()["notifications"]
        assert [notification["user_id"] for notification in listed] == [user]


def test_listed_newest_first_over_pages(inbox):
    """Pages meet without overlap or hole, newest first, while new ones arrive."""
    titles = [f"number {number}" for number in range(7)]
    for title in titles:
        inbox.publish(title=title)
    pages, cursor = [], None
    while True:
        page = inbox.get(limit=3, **({"cursor": cursor} if cursor else {}))
        pages.append([notification["title"] for notification in page["notifications"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break
        inbox.publish(title="came later")

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [title for page in pages for title in page] == titles[::-1]


def test_the_list_tells_the_streams_position(inbox):
    """A list carries epoch and seq of its own snapshot, from where a client goes on live."""
    inbox.publish()
    inbox.publish()
    stream = inbox.server.http.get("/api/stream/notifications", headers=inbox.reader).json()
    page = inbox.get(limit=1)

    assert (page["epoch"], page["seq"]) == (stream["epoch"], stream["seq"])
    assert page["seq"] == 2


def test_filters(inbox):
    """Unread, category and type narrow the list; the unread count is the whole inbox's."""
    first = inbox.publish(category="a", type="x")
    inbox.publish(category="b", type="x")
    inbox.publish(category="a", type="y")
    inbox.request("PUT", f"/{first['id']}/read")

    def kinds(**query):
        page = inbox.get(**query)
        assert page["unread_count"] == 2
        return [(one["category"], one["type"]) for one in page["notifications"]]

    assert kinds(category="a") == [("a", "y"), ("a", "x")]
    assert kinds(type="x") == [("b", "x"), ("a", "x")]
    assert kinds(unread="true") == [("a", "y"), ("b", "x")]
    assert kinds(unread="false") == [("a", "x")]
    assert kinds(category="a", type="x", unread="true") == []


def test_counts(inbox):
    """Stats count unread, unseen and all, and the unread by category."""
    first = inbox.publish(category="a")
    inbox.publish(category="b")
    inbox.publish()
    inbox.request("PUT", f"/{first['id']}/read")

    assert inbox.get("/stats") == {"unread": 2, "unseen": 2, "total": 3, "by_category": {"b": 1, "": 1}}


def test_marked_as_read_once(inbox):
    """Marking shows the time and makes one event; marking again changes nothing."""
    identity = inbox.publish()["id"]
    first = inbox.request("PUT", f"/{identity}/read")
    second = inbox.request("PUT", f"/{identity}/read")

    assert first.status_code == second.status_code == 200
    assert first.json()["read"] is True
    assert first.json() == second.json()
    assert inbox.events() == ["notification", "notification_read"]


def test_all_marked_as_read(inbox):
    """read-all marks what is unread, of a category or all, and says how many."""
    for category in ("a", "a", "b"):
        inbox.publish(category=category)
    marked = [
        inbox.request("POST", "/read-all", json={"category": "a"}).json(),
        inbox.request("POST", "/read-all").json(),
        inbox.request("POST", "/read-all", json={}).json(),
    ]

    assert marked == [{"marked": 2}, {"marked": 1}, {"marked": 0}]
    assert inbox.get()["unread_count"] == 0


def test_deleted(inbox):
    """A deleted one is gone: from the list, by its id, and for a second delete."""
    identity = inbox.publish()["id"]
    first = inbox.request("DELETE", f"/{identity}")
    second = inbox.request("DELETE", f"/{identity}")

    assert (first.status_code, first.content) == (204, b"")
    assert second.status_code == 404
    assert inbox.get()["notifications"] == []
    assert inbox.events() == ["notification", "notification_deleted"]


def test_answers_are_kept_by_no_cache(inbox):
    """Inboxes are private: no cache keeps an answer."""
    assert inbox.request("GET", "").headers["cache-control"] == "no-store"
