"""
One GET of a key set, bounded on every side.

Only the configured URL is asked: a redirect is an error. Time, head and body
have bounds whatever the other side does, so that an issuer that is broken or
hijacked costs a connection and nothing more. No proxy of the environment is used.
"""

import asyncio
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

import httptools

FETCH_S = 5.0
MAX_BYTES = 262_144


class NotFetched(Exception):
    """There is no answer to use; the message is one line and holds nothing of what came."""


async def fetch(url: str, *, deadline_s: float = FETCH_S) -> bytes:
    """
    Return the body of a 200 within ``deadline_s`` seconds.

    Args:
        url: ``https:``, or ``http:`` on loopback.
        deadline_s: Seconds for all of it.

    Raises:
        NotFetched: No connection, another status, too long, too slow or no HTTP.
    """
    try:
        async with asyncio.timeout(deadline_s):
            return await _get(url)
    except TimeoutError:
        raise NotFetched(f"there was no answer within {deadline_s:g} s") from None
    except ssl.SSLError as error:
        raise NotFetched(f"its certificate was not accepted ({error.reason})") from None
    except OSError as error:
        raise NotFetched(f"it can't be reached ({error.strerror or type(error).__name__})") from None
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        raise NotFetched("what it says is not HTTP") from None


async def _get(url: str) -> bytes:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    context = await asyncio.to_thread(ssl.create_default_context) if is_tls else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if is_tls else 80), ssl=context)
    try:
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"
            "Accept-Encoding: identity\r\nUser-Agent: tocsin\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        return await _answer(reader)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    taken = 0
    while not answer.is_complete and (data := await reader.read(65_536)):
        taken += len(data)
        if taken > MAX_BYTES:
            raise NotFetched(f"it answers more than {MAX_BYTES} bytes")
        parser.feed_data(data)
        if answer.has_head and parser.get_status_code() != 200:
            raise NotFetched(f"it answers {parser.get_status_code()}")
    if not answer.has_head:
        raise NotFetched("it hangs up")
    return bytes(answer.body)


class _Answer:
    """Collects what the parser finds."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.has_head = False
        self.is_complete = False

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_complete = True
