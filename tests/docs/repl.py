"""Run Python that comes over a pipe, piece by piece in one namespace: what a page says first holds for what follows."""

import ast
import asyncio
import inspect
import json
import sys
import traceback


def main() -> None:
    """Answer each piece, a line of JSON, with a line: null, or why it failed."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    sys.path.insert(0, "")
    known = {"__name__": "page"}
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            try:
                code = compile(json.loads(line), "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                if code.co_flags & inspect.CO_COROUTINE:
                    runner.run(eval(code, known))
                else:
                    exec(code, known)
                answer = None
            except BaseException:  # noqa: BLE001 it is the answer
                answer = traceback.format_exc()
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


main()
