"""Whole sessions: any order of frames, packets, polls, stalls and time."""

from fuzz.reading import Reading
from fuzz.stage import Step, play
from fuzz.target import Target
from tests.unit.engine.fakes import client_frame

TEXTS = (
    *("40", "40/chat,", "41", "41/chat,", '40{"no":1}', '40/chat,{"no":1}', "40/none,", "40/third,", "3", "1", "2"),
    *("2probe", "5", "6", '42["echo",1]', '421["echo",{"a":[]}]', '42/chat,2["slow",3]', '42/chat,4["no"]', '42["x"]'),
    *('423["slow"]', '451-5["bin",{"_placeholder":true,"num":0}]', '451-["echo",{"_placeholder":true,"num":0}]'),
    *(
        '452-/chat,6["bin",{"_placeholder":true,"num":1}]',
        "431[1]",
        '461-1[{"_placeholder":true,"num":0}]',
        "43/chat,2[]",
    ),
    *('42["much"]', '42/chat,8["much"]', '42["echo",[[[[]]]]]'),
)
"""What clients say, rightly and wrongly."""
# New ones come last: inputs that are kept name a step by its place.
NAMES = (
    "open",
    "poll",
    "read",
    "text",
    "frame",
    "get",
    "wait",
    "upgrade",
    "stall",
    "flow",
    "hang",
    "emit",
    "call",
    "close",
    "asgi",
    "asgi_upgrade",
    "whisper",
    "part",
    "flood",
)
MAX_STEPS = 60


def steps(data: bytes) -> list[Step]:
    """Return the steps that some bytes stand for."""
    reading = Reading(data)
    found: list[Step] = []
    while not reading.is_over and len(found) < MAX_STEPS:
        name = reading.pick(NAMES)
        who = reading.byte()
        if name == "read":
            found.append(("read", who, reading.chunk()))
        elif name == "text":
            text = reading.pick(TEXTS)
            found.append(("read", who, client_frame(1, text) if who & 0x80 == 0 else text.encode()))
        elif name == "flood":
            found.append(("read", who, client_frame(1, reading.pick(TEXTS)) * (20 + who)))
        elif name == "frame":
            first, payload = reading.byte(), reading.chunk() * (1 + reading.byte() % 32)
            found.append(("read", who, client_frame(first & 0x0F, payload, final=first & 0x80 == 0)))
        elif name == "wait":
            found.append(("wait", (who & 0x7F) / (2.0 if who & 0x80 else 20.0)))
        else:
            found.append((name, who))
    return found


def run(data: bytes) -> None:
    """Play them."""
    play(steps(data))


def _written(*moves: tuple[str, int, bytes]) -> bytes:
    return b"".join(bytes((NAMES.index(name), who)) + more for name, who, more in moves)


def _text(text: str) -> bytes:
    return bytes((TEXTS.index(text),))


TARGET = Target(
    run=run,
    watched=[
        f"tocsin.engine.{name}"
        for name in (
            "session",
            "connection",
            "websocket",
            "polling",
            "probe",
            "outbox",
            "frames",
            "packets",
            "client_socket",
            "asgi_websocket",
        )
    ],
    seeds=[
        _written(
            ("open", 0, b""), ("text", 0, _text("40")), ("text", 0, _text('421["echo",{"a":[]}]')), ("wait", 255, b"")
        ),
        _written(
            ("open", 0, b""),
            ("text", 0, _text("40/chat,")),
            ("wait", 127, b""),
            *[("text", 0, _text('42/chat,2["slow",3]'))] * 6,
            ("stall", 0, b""),
            *[("emit", 0, b"")] * 9,
            ("flow", 0, b""),
        ),
        _written(
            ("poll", 0, b""),
            ("text", 128, _text("40")),
            ("get", 0, b""),
            ("upgrade", 0, b""),
            ("text", 1, _text("2probe")),
            ("get", 0, b""),
            ("text", 1, _text("5")),
            ("emit", 0, b""),
            ("text", 1, _text('42["echo",1]')),
        ),
        _written(
            ("open", 0, b""),
            ("text", 0, _text("40")),
            ("text", 0, _text('451-5["bin",{"_placeholder":true,"num":0}]')),
            ("frame", 0, b"\x02\x01a\x00"),
            ("call", 0, b""),
            ("text", 0, _text("431[1]")),
            ("hang", 0, b""),
        ),
        _written(
            ("poll", 0, b""), ("get", 128, b""), ("get", 128, b""), ("read", 0, b"\x02\x34\x30"), ("hang", 0, b"")
        ),
        _written(
            ("asgi", 0, b""),
            ("text", 0, _text("40/chat,")),
            ("wait", 127, b""),
            ("stall", 0, b""),
            *[("emit", 0, b"")] * 9,
            ("wait", 255, b""),
            ("hang", 0, b""),
        ),
        _written(
            ("poll", 0, b""),
            ("get", 0, b""),
            ("asgi_upgrade", 0, b""),
            ("text", 1, _text("2probe")),
            ("text", 1, _text("5")),
            ("text", 1, _text("40")),
        ),
    ],
    max_length=512,
)
