"""Abuse of the wire: handshakes, frames, packets, events."""

import asyncio

import orjson

from tests.abuse.case import ORIGIN, Target, acked, case, closed, connected, heard, refused, told
from tests.acceptance.wire_socket import eventually
from tests.wire.clients import DEADLINE_S, TEXT, client_frame

HANDSHAKES = "Handshakes"
POLLING = "EIO=4&transport=polling"


@case(HANDSHAKES, "a page of a foreign origin opens a WebSocket, or polls")
async def foreign_page(target: Target) -> str:
    upgrade = await target.client().upgrade(Origin=ORIGIN)
    polled = told(await target.client().request("GET", POLLING, Origin=ORIGIN), "access-control-allow-origin")
    return f"{upgrade.answer.status}; {polled}"


@case(HANDSHAKES, "an unknown session, another version of the protocol, no transport")
async def bad_query(target: Target) -> str:
    client = target.client()
    queries = (f"{POLLING}&sid=guess", "EIO=3&transport=polling", "EIO=4")
    return "; ".join([told(await client.request("GET", query)) for query in queries])


@case(HANDSHAKES, "a head of more than 16 KB")
async def long_head(target: Target) -> str:
    return str((await target.client().upgrade(X_Long="x" * 16_500)).answer.status)


@case(HANDSHAKES, "what is no HTTP")
async def no_http(target: Target) -> str:
    answer = (await target.client().raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")).answer.status
    return str(answer) if answer else "the connection is cut"


@case(HANDSHAKES, "compression, which makes bombs of frames, is asked for")
async def deflate(target: Target) -> str:
    socket = await target.client().upgrade(Sec_WebSocket_Extensions="permessage-deflate")
    return f"{socket.answer.status}, " + (socket.answer.headers.get("sec-websocket-extensions") or "not negotiated")


@case(HANDSHAKES, "no head, or no CONNECT, in time")
async def silent(target: Target) -> str:
    limits = target.server.service.engine
    return f"cut after {limits.limits.head_deadline_s:g} s; closed after {limits.connect_timeout:g} s"


@case(HANDSHAKES, "more connections than a user, or an address, may hold")
async def many_connections(target: Target) -> str:
    server = target.strict
    async with connected(target, "crowd", server=server), connected(target, "crowd", server=server):
        user = await refused(target, {"token": server.mint("crowd")}, server=server)
    far = {"X-Forwarded-For": "203.0.113.9"}
    statuses = [(await target.client(server).request("GET", POLLING, **far)).status_code for _ in range(3)]
    return f"{user}; {statuses[-1]}"


@case(HANDSHAKES, "more connections that carry no WebSocket, and ask for nothing, than an address may hold")
async def many_bare_connections(target: Target) -> str:
    port = target.client(target.strict).port
    # Another address than that of the other cases, which is a proxy's.
    opened = [await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0)) for _ in range(9)]
    async with asyncio.timeout(DEADLINE_S):
        assert b"" == await opened[-1][0].read(1)
    (reader, writer), *_ = opened
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    for _, writer in opened:
        writer.close()
    return "the connection is cut"


CONNECTS = "CONNECT"


@case(CONNECTS, "no token, a wrong one, an expired one")
async def wrong_token(target: Target) -> str:
    expired = target.server.mint("ann", ttl_s=-60)
    lines = [await refused(target, auth) for auth in ({}, {"token": "x.y.z"}, {"token": expired})]
    return "; ".join(lines)


@case(CONNECTS, "`auth` that is no object; a cursor that is none")
async def wrong_auth(target: Target) -> str:
    cursor = {"token": target.server.mint("ann"), "epoch": "x", "last_seq": -1}
    return f"{await refused(target, '[1]')}; {await refused(target, cursor)}"


@case(CONNECTS, "a namespace that is not there")
async def no_namespace(target: Target) -> str:
    return await refused(target, {"token": target.server.mint("ann")}, "/admin")


@case(CONNECTS, "a second user on one connection")
async def two_users(target: Target) -> str:
    async with connected(target, "ann") as socket:
        await socket.send("40/orders," + orjson.dumps({"token": target.server.mint("bob")}).decode())
        while not (answer := str(await heard(socket))).startswith("44"):
            pass
    return f"CONNECT_ERROR `{orjson.loads(answer.partition(',')[2])['data']['code']}`"


@case(CONNECTS, "more than 16 namespaces on one connection")
async def many_namespaces(target: Target) -> str:
    for number in range(20):
        target.server.service.realtime.add_namespace(f"/room{number}")
    auth = orjson.dumps({"token": target.server.mint("ann")}).decode()
    async with await target.client().session() as socket:
        for number in range(17):
            await socket.send(f"40/room{number},{auth}")
        return await closed(socket)


EVENTS = "Events"


@case(EVENTS, "an event that only the server sends; joining a room; a name that nobody takes")
async def servers_own(target: Target) -> str:
    async with connected(target, namespace="/notifications") as socket:
        lines = [
            await acked(socket, name, {"user_id": "bob"}, namespace="/notifications")
            for name in ("notification", "join", "whatever")
        ]
    (line,) = dict.fromkeys(lines)
    return line


@case(EVENTS, "a reserved name: `connect`, `disconnect`, `connect_error`")
async def reserved(target: Target) -> str:
    lines = set()
    for name in ("connect", "disconnect", "connect_error", "disconnecting", "newListener"):
        async with connected(target) as socket:
            await socket.send(f'42/chat,["{name}",{{}}]')
            lines.add(await closed(socket))
    (line,) = lines
    return f"{line}; no handler runs"


@case(EVENTS, "marking or deleting another user's notification")
async def anothers(target: Target) -> str:
    id_ = await target.made("bob")
    async with connected(target, namespace="/notifications") as socket:
        lines = {
            await acked(socket, name, {"notification_id": id_}, namespace="/notifications")
            for name in ("mark_read", "delete")
        }
    (line,) = lines
    return line


@case(EVENTS, "a wrong type, an unknown field, two arguments")
async def wrong_arguments(target: Target) -> str:
    async with connected(target) as socket:
        lines = {
            await acked(socket, "typing", {"to_user_id": "bob", "is_typing": "yes"}),
            await acked(socket, "typing", {"to_user_id": "bob", "is_typing": True, "from_user_id": "eve"}),
            await acked(socket, "typing", {}, {}),
        }
    (line,) = lines
    return line


@case(EVENTS, "binary where no event takes it")
async def binary(target: Target) -> str:
    async with connected(target) as socket:
        await socket.send('451-/chat,9["typing",{"_placeholder":true,"num":0}]')
        await socket.send(b"x")
        ack = str(await heard(socket))
    return f"ack `{orjson.loads(ack[ack.index('[') :])[0]['code']}`"


@case(EVENTS, "more events of a kind than a user may send")
async def many_events(target: Target) -> str:
    async with connected(target, server=target.strict) as socket:
        lines = [await acked(socket, "typing", {"to_user_id": "bob", "is_typing": True}) for _ in range(5)]
    return ", then ".join(dict.fromkeys(lines))


@case(EVENTS, "a flood of them, whatever is answered")
async def flood(target: Target) -> str:
    async with connected(target) as socket:
        await socket.send_raw(client_frame(TEXT, b'42/chat,["typing",{}]') * 8_000)
        return await closed(socket)


PACKETS = "Packets and frames"


async def broken(target: Target, data: bytes | str) -> str:
    async with connected(target) as socket:
        await (socket.send_raw(data) if isinstance(data, bytes) else socket.send(data))
        return await closed(socket)


@case(PACKETS, "a packet that is none: an unknown type, broken JSON, no array, an event before CONNECT")
async def malformed(target: Target) -> str:
    lines = {await broken(target, packet) for packet in ("9", "4", "49", '42/chat,["typing"', '42/chat,{"x":1}')}
    async with await target.client().session() as socket:
        await socket.send('42/chat,["typing",{}]')
        lines.add(await closed(socket))
    return "; ".join(sorted(lines))


@case(PACKETS, "11 attachments, or ten billion")
async def attachments(target: Target) -> str:
    lines = {await broken(target, f'45{count}-/chat,1["typing"]') for count in (11, 10_000_000_000)}
    (line,) = lines
    return line


@case(PACKETS, "a message of more than 1 MB, in one frame or in fragments; a frame that announces 8 EB")
async def too_big(target: Target) -> str:
    half = client_frame(TEXT, b"4" * 600_000, final=False) + client_frame(0, b"4" * 600_000)
    huge = b"\x81\xff" + (2**63 - 1).to_bytes(8, "big") + b"mask"
    lines = {await broken(target, data) for data in ("4" * 1_000_001, half, huge)}
    (line,) = lines
    return line


@case(PACKETS, "a message of 20,000 empty fragments; 20,000 frames at once")
async def fragments(target: Target) -> str:
    empty = client_frame(TEXT, b"", final=False) + client_frame(0, b"", final=False) * 20_000
    lines = {await broken(target, data) for data in (empty, client_frame(0xA, b"") * 20_000)}
    (line,) = lines
    return line


@case(PACKETS, "a frame without a mask; text that is no UTF-8")
async def bad_frames(target: Target) -> str:
    unmasked = await broken(target, client_frame(TEXT, b"2", masked=False))
    return f"{unmasked}; {await broken(target, client_frame(TEXT, bytes([0x34, 0xFF])))}"


@case(PACKETS, "17 packets in one polling POST; a body of more than 1 MB; two polls at once")
async def polling(target: Target) -> str:
    client = target.client()
    lines = []
    for body in ("\x1e".join(["3"] * 17), "4" * 1_000_001):
        sid = await client.polling_session()
        pushed = await client.push(sid, body)
        gone = (await client.poll(sid)).status_code
        lines.append(f"{pushed.status_code}, and the session has ended ({gone})")
    sid = await client.polling_session()
    first = asyncio.create_task(client.poll(sid))
    await eventually(lambda: not target.server.service.engine.sessions[sid].is_unattended)
    second = await client.poll(sid)
    await first
    lines.append(f"{second.status_code}, and the session has ended ({(await client.poll(sid)).status_code})")
    return "; ".join(dict.fromkeys(lines))


@case(PACKETS, "a client that does not read what it is sent")
async def slow(target: Target) -> str:
    limits = target.server.service.engine.limits
    return (
        f"at {limits.queue_packets} packets or {limits.queue_bytes:,} bytes that wait, or after "
        f"{limits.write_deadline_s:g} s without a byte, it is cut; it resumes by its cursor"
    )
