"""Redis or Valkey: reached, heard, fast enough. One message goes to a channel that nobody else listens to."""

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator
from typing import Any

from tocsin.cli.doctor import clock
from tocsin.cli.doctor.finding import Finding, Findings, first_line, ok, problem, warning
from tocsin.settings import Settings

AREA = "redis"
_ANSWER_S = 5.0
_PINGS = 5
_SLOW_S = 0.05
_LEAST_SHARDED = 7
_SMALL_BUFFER = 8 * 2**20


def look(settings: Settings) -> Findings:
    """Look at every server that the URL leads to."""
    if settings.redis_url is None:
        yield ok(AREA, "TOCSIN_REDIS_URL is not set: several nodes would look into the database every 5 s")
        return
    try:
        from tocsin.adapters.bus_redis.places import open_places  # noqa: PLC0415 an extra
    except ImportError:
        yield problem(AREA, "the package of Redis is missing", "pip install 'tocsin[redis]'")
        return
    try:
        places = open_places(settings.redis_url.get_secret_value())
    except ValueError as error:
        yield problem(AREA, f"TOCSIN_REDIS_URL {error}", "correct TOCSIN_REDIS_URL")
        return
    yield from asyncio.run(_all(places))


async def _all(places: Any) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(_ANSWER_S):
            await places.look()
        for place in sorted(places.known):
            async with asyncio.timeout(_ANSWER_S):
                found += [finding async for finding in _server(places, place)]
    except Exception as error:  # noqa: BLE001 whatever it is, it is told
        reason = "it does not answer" if isinstance(error, TimeoutError) else first_line(error)
        for secret in places.connecting.secrets:
            reason = reason.replace(secret, "***")
        found.append(
            problem(
                AREA,
                f"{places.connecting.first}: {reason}",
                "start it, or correct TOCSIN_REDIS_URL; see its rights (ACL)",
            )
        )
    finally:
        await places.close()
    return found


async def _server(places: Any, place: Any) -> AsyncIterator[Finding]:
    connection, listening = places.connecting.to(place), places.connecting.to(place)
    try:
        await connection.connect()
        yield _latency(place, [await _timed(connection, "PING") for _ in range(_PINGS)])
        is_sharded = not _is_unknown(await _ask(connection, "SPUBLISH", _channel(places, place), ""))
        version = await _version(connection)
        if is_sharded:
            yield ok(AREA, f"{place}: version {version or 'untold'}, sharded channels")
        else:
            yield warning(
                AREA, f"{place}: version {version or 'untold'} has no sharded channels", "use Redis 7 or Valkey"
            )
        await listening.connect()
        yield await _heard(connection, listening, place, _channel(places, place), is_sharded=is_sharded)
        async for finding in _told_of_itself(connection, place):
            yield finding
    finally:
        await connection.disconnect(nowait=True)
        await listening.disconnect(nowait=True)


async def _told_of_itself(connection: Any, place: Any) -> AsyncIterator[Finding]:
    """Look at what its rights may forbid to ask; then nothing is said of it."""
    asked_s = time.time()
    now = await _ask(connection, "TIME")
    if isinstance(now, list):
        yield clock.compare(f"Redis at {place}", int(now[0]) + int(now[1]) / 1e6, asked_s)
    limits = await _ask(connection, "CONFIG", "GET", "client-output-buffer-limit")
    if isinstance(limits, list) and len(limits) == 2:
        words = limits[1].decode().split()
        hard = int(words[words.index("pubsub") + 1]) if "pubsub" in words else 0
        if 0 < hard < _SMALL_BUFFER:
            yield warning(
                AREA,
                f"{place} cuts a node off that is {hard:,} bytes behind",
                "client-output-buffer-limit pubsub 32mb 8mb 60",
            )
    policy = await _ask(connection, "CONFIG", "GET", "maxmemory-policy")
    if isinstance(policy, list) and len(policy) == 2:
        yield ok(AREA, f"{place}: maxmemory-policy {policy[1].decode()} is of no effect: nothing is kept there")


def _latency(place: Any, taken_s: list[float]) -> Finding:
    middle = statistics.median(taken_s)
    text = f"{place} answers in {middle * 1000:.1f} ms"
    return warning(AREA, text, "put it nearer to the nodes") if middle > _SLOW_S else ok(AREA, text)


async def _heard(connection: Any, listening: Any, place: Any, channel: str, *, is_sharded: bool) -> Finding:
    subscribe, publish = ("SSUBSCRIBE", "SPUBLISH") if is_sharded else ("SUBSCRIBE", "PUBLISH")
    subscribed = await _ask(listening, subscribe, channel)
    if isinstance(subscribed, Exception):
        return problem(
            AREA, f"{place}: this user may not listen: {first_line(subscribed)}", "give it the rights of the docs"
        )
    began = time.monotonic()
    told = await _ask(connection, publish, channel, "doctor")
    if isinstance(told, Exception):
        return problem(
            AREA, f"{place}: this user may not publish: {first_line(told)}", "give it the rights of the docs"
        )
    await listening.read_response()
    return ok(AREA, f"{place} brings what is published, in {(time.monotonic() - began) * 1000:.1f} ms")


async def _timed(connection: Any, command: str) -> float:
    began = time.monotonic()
    await _ask(connection, command)
    return time.monotonic() - began


async def _ask(connection: Any, *command: str) -> Any:
    from redis.exceptions import ResponseError  # noqa: PLC0415 an extra

    await connection.send_command(*command)
    try:
        return await connection.read_response(disconnect_on_error=False)
    except ResponseError as error:
        return error


async def _version(connection: Any) -> str:
    told = await _ask(connection, "INFO", "server")
    if not isinstance(told, bytes):
        return ""
    lines = dict(line.split(":", 1) for line in told.decode().splitlines() if ":" in line)
    return lines.get("valkey_version") or lines.get("redis_version", "")


def _is_unknown(answer: Any) -> bool:
    return isinstance(answer, Exception) and "unknown command" in str(answer).lower()


def _channel(places: Any, place: Any) -> str:
    # Of a Cluster each server has channels of its own.
    names = (f"tocsin:doctor:{secrets.token_hex(8)}" for _ in range(100_000))
    return next(name for name in names if places.of(name) == place)
