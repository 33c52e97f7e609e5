"""The server from outside, through whatever stands before it: REST, certificate, clock, headers."""

import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import orjson

from tocsin.cli.doctor import clock, sockets
from tocsin.cli.doctor.finding import Findings, first_line, ok, problem, warning
from tocsin.cli.doctor.http import NO_ANSWER, Answer, Site

_SOON_DAYS = 14
# What a client may post, and hardly any proxy's default forbids.
_BIG = 900_000


def look(url: str, token: str | None = None, idle_s: float = 0.0) -> Findings:
    """
    Look at a running server.

    Args:
        url: As browsers have it.
        token: Of a user, to be checked; no socket is opened with it.
        idle_s: How long a WebSocket is held with nothing but heartbeats.
    """
    try:
        site = Site(url)
    except ValueError as error:
        yield problem("url", f"{url!r} {error}", "correct --url")
        return
    yield from _certificate(site)
    try:
        answer = site.ask("GET", "/healthz")
    except NO_ANSWER as error:
        is_plain = getattr(error, "reason", "") == "WRONG_VERSION_NUMBER"
        advice = "no TLS is there: begin --url with http://" if is_plain else "start the server, or correct --url"
        yield problem("url", f"{site.url} does not answer: {first_line(error)}", advice)
        return
    yield from _health(site, answer)
    if answer.status != 200:
        return
    try:
        yield from _headers(site)
        if token is not None:
            yield from _token(site, token)
    except NO_ANSWER as error:
        yield problem("url", f"a request has no answer: {first_line(error)}", "look into the logs of proxy and server")
    yield from sockets.look(site, idle_s)


def _certificate(site: Site) -> Findings:
    if site.tls is None:
        if not site.is_local:
            yield warning("tls", f"{site.url} is not encrypted: tokens can be read on the way", "serve it by https")
        return
    try:
        ends = site.certificate_ends()
    except ssl.SSLError as error:
        if error.reason == "WRONG_VERSION_NUMBER":
            return  # the next request tells
        reason = getattr(error, "verify_message", "") or first_line(error)
        yield problem(
            "tls", f"browsers refuse the certificate: {reason}", "get one that holds for this name, with its chain"
        )
        site.trust_anybody()
    except OSError:
        return  # the next request tells
    else:
        assert ends is not None
        days = (ends - datetime.now(UTC)).days
        text = f"the certificate of {site.host} holds for {days} days"
        yield warning("tls", text, "renew the certificate") if days < _SOON_DAYS else ok("tls", text)


def _health(site: Site, answer: Answer) -> Findings:
    if (elsewhere := answer.headers.get("location")) is not None:
        yield problem("url", f"{site.url} leads to {elsewhere}", "let --url name the address that browsers end at")
        return
    if answer.status != 200:
        yield problem(
            "url",
            f"GET {site.url}/healthz answers {answer.status} ({answer.text})",
            "let the proxy pass every path to the server, and look into its log",
        )
        return
    yield ok("url", f"{site.url}/healthz answers")
    asked_s = time.time()
    try:
        ready = site.ask("GET", "/readyz")
    except NO_ANSWER as error:
        yield problem("url", f"GET /readyz has no answer: {first_line(error)}", "look into the server's log")
        return
    if ready.status == 200:
        yield ok("url", "it takes work (GET /readyz)")
    else:
        yield problem("url", f"it takes no work: {_detail(ready)}", "see the reason, and the server's log")
    if (date := ready.headers.get("date")) is not None:
        yield clock.compare("the server", parsedate_to_datetime(date).timestamp(), asked_s, grain_s=1.0)


def _headers(site: Site) -> Findings:
    same = site.ask("GET", "/healthz", headers={"Origin": site.origin})
    if same.status == 403:
        yield problem(
            "forwarded",
            f"a page of {site.origin} itself is refused as a foreign one: scheme and host do not arrive",
            "let the proxy set Host (or X-Forwarded-Host) and X-Forwarded-Proto, and name it in TOCSIN_TRUSTED_PROXIES",
        )
    else:
        yield ok("forwarded", f"the server knows that it is {site.origin}")
    foreign = site.ask("GET", "/healthz", headers={"Origin": "https://tocsin-doctor.invalid"})
    if foreign.status != 403:
        yield warning(
            "origins",
            "a page of any origin is let in"
            if foreign.status == 200
            else f"a foreign origin is answered {foreign.status}",
            "name your own origins in TOCSIN_CORS_ORIGINS, and let no proxy add CORS headers",
        )
    script = site.ask("GET", "/js/websocket.js")
    if script.status == 200 and "javascript" in script.headers.get("content-type", ""):
        yield ok("url", "/js/websocket.js is served")
    else:
        yield problem(
            "url", f"GET /js/websocket.js answers {script.status}", "let the proxy pass it, or build the bundles"
        )
    if not site.is_local and site.ask("GET", "/metrics").status == 200:
        yield warning(
            "proxy",
            "everybody may read /metrics",
            "TOCSIN_METRICS=token, or let the proxy set X-Forwarded-For: then it counts as its client does",
        )
    if not _takes_big(site):
        yield warning("proxy", f"a body of {_BIG:,} bytes is refused", "client_max_body_size 1m or more, in nginx")


def _takes_big(site: Site) -> bool:
    # Without a token nothing comes of it, whatever is in it.
    try:
        return site.ask("POST", "/api/events", b" " * _BIG, {"Content-Type": "application/json"}).status != 413
    except NO_ANSWER:
        return False  # it hangs up instead


def _token(site: Site, token: str) -> Findings:
    answer = site.ask("GET", "/api/notifications/stats", headers={"Authorization": f"Bearer {token}"})
    if answer.status == 200:
        yield ok("token", "the token is accepted")
    else:
        yield problem(
            "token", f"the token is refused: {_detail(answer)}", "get a new one; compare secret, iss, aud, clock"
        )


def _detail(answer: Answer) -> str:
    try:
        told = orjson.loads(answer.body)
        return str(told["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"{answer.status} {answer.text}"
