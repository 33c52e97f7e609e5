"""
A mail server that delivers nothing: SMTP (RFC 5321) on loopback, for tests of other channels.

    with FakeSmtp() as smtp:
        add_channel(smtp.mail_url("mina@example.com"), user_id=7)
        smtp.answer(BUSY)
        ...
        assert smtp.mails[0]["Subject"] == "Order shipped"
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal

from tocsin.testing.loopback import LoopbackServer


@dataclass(frozen=True, slots=True)
class SmtpAnswer:
    """
    What the server says to a mail.

    Attributes:
        reply: The line that answers its end.
        behaviour: ``hang`` never answers, ``cut`` closes the connection.
        at: Whether it comes when the mail ends, or already at its recipient.
    """

    reply: str = "250 2.0.0 taken"
    behaviour: Literal["answer", "hang", "cut"] = "answer"
    at: Literal["data", "rcpt"] = "data"


TAKEN = SmtpAnswer()
CLOSING = SmtpAnswer("421 4.3.2 the server stops")
BUSY = SmtpAnswer("450 4.2.1 try again later")
NO_SUCH_MAILBOX = SmtpAnswer("550 5.1.1 no such mailbox", at="rcpt")
HANG = SmtpAnswer(behaviour="hang")
CUT = SmtpAnswer(behaviour="cut")


class FakeSmtp(LoopbackServer):
    """
    A mail server in a thread of this process; a context manager. Safe from any thread.

    Attributes:
        mails: What it took, parsed.
        tried: How many mails were brought to it.
    """

    def __init__(self) -> None:
        super().__init__("fake-smtp")
        self.mails: list[EmailMessage] = []
        self.tried = 0
        self._once: deque[SmtpAnswer] = deque()

    def answer(self, *answers: SmtpAnswer) -> None:
        """Say what the next mails get, one after another; all others are taken."""
        self._once.extend(answers)

    def wait(self, count: int = 1, timeout_s: float = 20.0) -> EmailMessage:
        """
        Return mail number ``count``, as soon as it has come.

        Raises:
            TimeoutError: It has not.
        """
        return self._wait_in(self.mails, count, timeout_s)

    def mail_url(self, to: str, *, sender: str = "shop@example.com") -> str:
        """Return the URL of Apprise that sends to an address through this server."""
        host, _, port = self.host.partition(":")
        return f"mailto://{host}:{port}?smtp={host}&mode=insecure&from={sender}&to={to}"

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve a whole connection: the server speaks first."""
        writer.write(b"220 fake ESMTP\r\n")
        while line := await reader.readline():
            verb = line.split(maxsplit=1)[0].upper() if line.strip() else b""
            if verb == b"DATA":
                writer.write(b"354 go ahead\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                if not await self._take(body[:-3], writer):
                    return False
            elif verb == b"RCPT" and self._once and self._once[0].at == "rcpt":
                self.tried += 1
                if not await self._say(self._once.popleft(), writer):
                    return False
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                return False
            elif verb in {b"EHLO", b"HELO"}:
                writer.write(b"250-fake\r\n250 8BITMIME\r\n")
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()
        return False

    async def _take(self, body: bytes, writer: asyncio.StreamWriter) -> bool:
        self.tried += 1
        answer = self._once.popleft() if self._once else TAKEN
        if answer == TAKEN:
            # A line that begins with a dot has been given a second one (RFC 5321, 4.5.2).
            mail = message_from_bytes(body.replace(b"\r\n..", b"\r\n."), policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self._take_in(self.mails, mail)
        return await self._say(answer, writer)

    async def _say(self, answer: SmtpAnswer, writer: asyncio.StreamWriter) -> bool:
        """Answer, and return whether the connection goes on."""
        if answer.behaviour == "hang":
            await asyncio.Event().wait()
        if answer.behaviour == "cut":
            return False
        writer.write(f"{answer.reply}\r\n".encode())
        return True
