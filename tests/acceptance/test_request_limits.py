"""Limits of REST over real connections: security.md, "Limits"."""

import asyncio
import re

import pytest

from tests.acceptance.wire_socket import eventually
from tests.jwks_server import ISSUER, issuer

INBOX = "/api/notifications"
_LEFT = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')
FAR = {"X-Forwarded-For": "203.0.113.7"}


@pytest.fixture
def strict(start_server):
    """Return a server that lets few requests through."""
    return start_server(
        limit_user_requests="4 per hour", limit_publisher_requests="6 per hour", limit_address_requests="8 per hour"
    )


def ask(server, user="ann", *, headers=None):
    return server.http.get(INBOX, headers={**server.bearer(user), **(headers or {})})


def post(server, publisher="shop", headers=None):
    body = {"user_id": "ann", "type": "t", "title": "t", "message": ""}
    return server.http.post(INBOX, json=body, headers={**server.bearer(publisher, "publish"), **(headers or {})})


def left(answer):
    name, count, _ = _LEFT.fullmatch(answer.headers["ratelimit"]).groups()
    return name, int(count)


def assert_refused(answer, policy):
    assert 429 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]
    assert ("rate_limited", True) == (answer.json()["code"], answer.json()["retryable"])
    assert 1 <= int(answer.headers["retry-after"]) <= 3_600
    assert (policy, 0) == left(answer)


def test_a_user_is_told_what_is_left_and_then_to_wait(strict):
    """Each answer counts down, whatever its status; one too many is 429 with Retry-After, and other users go on."""
    answers = [ask(strict) for _ in range(2)]
    answers.append(strict.http.get("/api/notifications/nothing", headers=strict.bearer("ann")))
    answers.append(strict.http.post(INBOX, json={}, headers=strict.bearer("ann")))
    refused = ask(strict)

    assert [200, 200, 404, 403] == [answer.status_code for answer in answers]
    assert [("user", 3), ("user", 2), ("user", 1), ("user", 0)] == [left(answer) for answer in answers]
    assert ['"user";q=4;w=3600'] * 5 == [answer.headers["ratelimit-policy"] for answer in (*answers, refused)]
    assert_refused(refused, "user")
    assert 200 == ask(strict, "bob").status_code


def test_what_is_refused_does_nothing(strict):
    """A write over the limit is not carried out, also not one with a key."""
    for _ in range(6):
        assert 201 == post(strict).status_code
    for _ in range(3):
        assert_refused(post(strict, headers={"Idempotency-Key": "once"}), "publisher")

    assert 6 == ask(strict).json()["unread_count"]


def test_a_publisher_has_a_bucket_of_its_own(strict):
    """It is the subject's, and no other requests of its address count for it."""
    for _ in range(8):
        strict.http.get(INBOX, headers=FAR)
    assert_refused(strict.http.get(INBOX, headers=FAR), "address")

    assert ("publisher", 5) == left(post(strict, headers=FAR))
    assert ("publisher", 5) == left(post(strict, "billing", headers=FAR))
    assert ("publisher", 4) == left(post(strict, headers=FAR))


def test_guesses_at_tokens_spend_the_addresss(strict):
    """Without a good token the address counts: 401 until it is 429, and its users wait too; other addresses don't."""
    answers = [
        strict.http.get(INBOX, headers={"Authorization": f"Bearer guess-{number}", **FAR}) for number in range(9)
    ]

    assert [401] * 8 + [429] == [answer.status_code for answer in answers]
    assert ("address", 7) == left(answers[0])
    assert_refused(answers[-1], "address")
    assert_refused(ask(strict, headers=FAR), "address")
    assert 200 == ask(strict, headers={"X-Forwarded-For": "203.0.113.8"}).status_code


def test_what_fails_before_its_token_is_looked_at_spends_the_addresss(strict):
    """Nobody gets bodies received for nothing again and again."""
    headers = [("Authorization", "Bearer one"), ("Authorization", "Bearer two"), *FAR.items()]
    answers = [strict.http.post(INBOX, headers=headers, json={}) for _ in range(9)]

    assert [400] * 8 + [429] == [answer.status_code for answer in answers]


def test_receipts_of_browsers_spend_the_addresss(strict):
    """A service worker has no token; whoever makes receipts up is held up as whoever makes tokens up."""
    answers = [
        strict.http.post("/api/webpush/receipts", headers=FAR, json={"receipt": f"a.{number}", "event": "shown"})
        for number in range(9)
    ]

    assert [403] * 8 + [429] == [answer.status_code for answer in answers]
    assert ("address", 7) == left(answers[0])
    assert_refused(answers[-1], "address")


def test_all_addresses_of_one_customer_are_one(strict):
    """An IPv6 customer has 2^64 of them; an IPv4 address written as IPv6 is the same."""
    for number in range(8):
        strict.http.get(INBOX, headers={"X-Forwarded-For": f"[2001:db8:0:1::{number:x}]"})
        strict.http.get(INBOX, headers={"X-Forwarded-For": f"{'::ffff:' * (number % 2)}203.0.113.9"})

    for address, status in {
        "2001:db8:0:1:ffff::1": 429,
        "2001:db8:0:2::1": 401,
        "::ffff:203.0.113.9": 429,
        "203.0.113.10": 401,
    }.items():
        assert status == strict.http.get(INBOX, headers={"X-Forwarded-For": f"[{address}]"}).status_code


def test_nobody_chooses_the_address_that_counts(start_server):
    """From a peer that is no trusted proxy, X-Forwarded-For says nothing."""
    server = start_server(trusted_proxies="192.0.2.1", limit_address_requests="3 per hour")
    answers = [server.http.get(INBOX, headers={"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(4)]

    assert [401, 401, 401, 429] == [answer.status_code for answer in answers]


def test_the_operator_is_not_counted_by_address(strict):
    """A trusted peer that forwards nothing is a proxy that asks for itself, or sits at this machine."""
    assert [401] * 20 == [strict.http.get(INBOX).status_code for _ in range(20)]
    assert [200] * 20 == [strict.http.get("/healthz", headers=FAR).status_code for _ in range(20)]


def test_a_listed_page_may_read_the_headers(start_server):
    """CORS exposes them (Fetch, 3.3.3)."""
    server = start_server(cors_origins="https://app.example.com")
    answer = ask(server, headers={"Origin": "https://app.example.com"})

    exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
    assert {"ratelimit", "ratelimit-policy", "retry-after"} <= set(exposed)


def test_an_unknown_key_counts_once(start_server):
    """A token that waits for its key is one request, not two."""
    with issuer() as idp:
        idp.add_key("a")
        server = start_server(jwt_secret=None, jwks_url=idp.url, jwt_issuer=ISSUER, limit_user_requests="4 per hour")
        answer = server.http.get(INBOX, headers={"Authorization": f"Bearer {idp.mint('a')}"})

    assert (200, ("user", 3)) == (answer.status_code, left(answer))


@pytest.mark.slow
async def test_over_two_nodes_a_user_has_one_bucket(start_server, postgres_url, redis_url):
    """What is spent on one node is soon spent on the other."""
    one, other = (
        start_server(database_url=postgres_url, redis_url=redis_url, limit_user_requests="20 per hour")
        for _ in range(2)
    )
    assert [200] * 20 == [ask(one).status_code for _ in range(20)]
    asked = []

    async def is_refused():
        await asyncio.sleep(0.5)
        asked.append(await asyncio.to_thread(ask, other))
        return asked[-1].status_code == 429

    await eventually(is_refused)
    assert len(asked) < 12
