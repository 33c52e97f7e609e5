"""
One target under Atheris, in a process of its own: ``python -m fuzz.drive NAME FOLDER SECONDS``.

libFuzzer ends the process by itself, and says on stderr what it did.
"""

import sys

import atheris

from fuzz.corpus import WORK

RSS_LIMIT_MB = 2_048
SLOWEST_S = 30


def _quoted(word: bytes) -> str:
    escaped = "".join(f"\\x{byte:02x}" for byte in word)
    return f'"{escaped}"'


def main() -> None:
    """Fuzz one target; ends the process."""
    name, folder, seconds = sys.argv[1:]
    # What is imported from here on tells the fuzzer where it goes.
    with atheris.instrument_imports(include=["tocsin"]):
        from fuzz.target import load  # noqa: PLC0415

        target = load(name)
    words = WORK / f"{name}.dict"
    words.write_text("".join(f"{_quoted(word)}\n" for word in target.words or [b"\x00"]))
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={target.max_length}",
        f"-dict={words}",
        f"-rss_limit_mb={RSS_LIMIT_MB}",
        f"-timeout={SLOWEST_S}",
        f"-artifact_prefix={WORK / name}-",
        "-print_final_stats=1",
        "-use_value_profile=0",
    ]
    atheris.Setup([sys.argv[0], *options, folder], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
