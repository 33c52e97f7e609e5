"""The examples of the engine, as a reader copies them: a server of their own and a stock client."""

import asyncio
import doctest
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import socketio

from tocsin.engine import SocketServer

PAGE = Path(__file__).parents[2] / "docs/explanation/engine.md"
DEADLINE_S = 30

pytestmark = pytest.mark.slow


@asynccontextmanager
async def running(program):
    """Run an example on a free port in a process of its own; yield its URL."""
    on_any_port = program.replace("websocket_protocol)", "websocket_protocol, port=0)")
    assert on_any_port != program
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", on_any_port, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(DEADLINE_S):
            said = b""
            while (url := re.search(rb"running on (http://[0-9.:]+)", said)) is None:
                line = await process.stderr.readline()
                assert line, f"the example ended: {said.decode()}"
                said += line
        yield url[1].decode()
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), DEADLINE_S)


async def ask(url, event, argument):
    client = socketio.AsyncClient(reconnection=False)
    heard = asyncio.Queue()
    client.on("*", lambda name, value: heard.put_nowait((name, value)))
    await client.connect(url)
    answer = await client.call(event, argument, timeout=DEADLINE_S)
    await client.disconnect()
    return answer, heard


async def test_the_example_of_the_page():
    """What docs/explanation/engine.md shows answers a stock client."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    async with running(program) as url:
        answer, _ = await ask(url, "echo", "안녕하세요 👋")

    assert "안녕하세요 👋" == answer


async def test_the_example_of_the_docstring():
    """What SocketServer's docstring shows answers a stock client and reaches its room."""
    examples = doctest.DocTestParser().get_examples(SocketServer.__doc__)
    async with running("".join(example.source for example in examples) + "main()\n") as url:
        answer, heard = await ask(url, "hello", "Mina")

    assert "Hello Mina" == answer
    assert ("joined", "Mina") == heard.get_nowait()
