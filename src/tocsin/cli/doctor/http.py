"""Requests of the doctor: each on a connection of its own, as a proxy may spread them."""

import http.client
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 15.0
NO_ANSWER = (OSError, http.client.HTTPException)
_MOST = 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Return the beginning of the body, in one line."""
        return " ".join(self.body[:200].decode("utf-8", "replace").split())


class Site:
    """
    The server as the world sees it.

    Args:
        url: ``http://`` or ``https://``, with a path where a proxy has put the server below one.

    Attributes:
        url: Without a slash at the end.
        tls: None for plain HTTP; with ``trusts_nobody`` no certificate is looked at any more.

    Raises:
        ValueError: It is no such URL.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise ValueError("must look like https://app.example.com")
        self.host: str = parts.hostname
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.origin = f"{parts.scheme}://{parts.netloc}".lower()
        self.path = parts.path.rstrip("/")
        self.url = f"{self.origin}{self.path}"
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None

    @property
    def is_local(self) -> bool:
        """Return whether it is on this machine."""
        return self.host in {"localhost", "127.0.0.1", "::1"}

    def trust_anybody(self) -> None:
        """Look at no certificate from here on: what else is wrong is to be seen as well."""
        if self.tls is not None:
            self.tls = ssl.create_default_context()
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE

    def certificate_ends(self) -> datetime | None:
        """
        Return when the certificate ends; None for plain HTTP.

        Raises:
            ssl.SSLError: It does not hold.
            OSError: Nobody answers.
        """
        if self.tls is None:
            return None
        with (
            socket.create_connection((self.host, self.port), TIMEOUT_S) as plain,
            self.tls.wrap_socket(plain, server_hostname=self.host) as secured,
        ):
            told: Any = secured.getpeercert()
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(told["notAfter"]), UTC)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """
        Return the answer to one request on a new connection; no redirect is followed.

        Raises:
            OSError, http.client.HTTPException: There is none.
        """
        connection = (
            http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
            if self.tls is None
            else http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT_S, context=self.tls)
        )
        try:
            connection.request(method, self.path + path, body, {"User-Agent": "tocsin-doctor", **(headers or {})})
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(_MOST),
            )
        finally:
            connection.close()
