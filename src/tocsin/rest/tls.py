"""TLS by the server itself: its certificate, and the next one when the files change."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_log = logging.getLogger(__name__)

LOOK_S = 30.0


class Certificate:
    """
    A certificate in PEM files, with TLS 1.2 or later.

    Args:
        chain: The certificate and those between it and the root; may hold the key, too.
        key: The private key; None: it is in ``chain``.

    Attributes:
        context: What connections are served with; always the newest pair that could be read.

    Raises:
        ValueError: The files can't be read, or are no certificate with its key; one line.
    """

    def __init__(self, chain: Path, key: Path | None = None) -> None:
        self._chain, self._key = chain, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._stamp()
        self._load(self.context)

    def look(self) -> None:
        """
        Take the files when they have changed since the last look; connections that are open keep theirs.

        A pair that can't be used, such as one that is half written, is told in the
        log and looked at again after its next change.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            # A context that could take the chain and not the key would answer nobody.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(self.context)
        except ValueError as error:
            _log.error("the new TLS certificate is not taken, the last one stays: %s", error)
        else:
            _log.info("a new TLS certificate is served from %s", self._chain)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look every half minute."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self._chain, self._key, password=lambda: "")
        except OSError as error:
            files = self._chain if self._key is None else f"{self._chain} and {self._key}"
            what = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            raise ValueError(f"{files}: no certificate with its unencrypted key in PEM ({what})") from None

    def _stamp(self) -> tuple[int, ...]:
        # A link that is moved to another file, as certbot and Kubernetes do it, shows in the inode; an owner or mode
        # that lets us read it at last in the change time.
        stamps: list[int] = []
        for file in filter(None, (self._chain, self._key)):
            with suppress(OSError):
                status = file.stat()
                stamps += (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        return tuple(stamps)
