"""What a closing server must not overlook: a request that has come and that nobody has read yet."""

import asyncio
import select


def has_unread(transport: asyncio.BaseTransport) -> bool:
    """
    Return whether something of the client waits in the kernel: bytes, or its end.

    To close a socket with unread bytes resets the connection (RFC 9112, 9.6), and the client can't tell
    whether its request was done. One that is read is answered with ``Connection: close`` instead.
    """
    tcp = transport.get_extra_info("socket")
    if tcp is None or tcp.fileno() < 0:
        # Its client has just left.
        return False
    poll = select.poll()
    poll.register(tcp.fileno(), select.POLLIN)
    return bool(poll.poll(0))
