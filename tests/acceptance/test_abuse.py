"""The page of abuse cases says what the server answers."""

import logging

from tests.abuse.page import PAGE, STRICT, Target, answers, page


async def test_each_abuse_gets_the_answer_of_the_page(start_server, caplog):
    """Every case over a real connection; nobody else notices, nothing is logged as an error."""
    found = await answers(Target(start_server(), start_server(**STRICT)))

    assert PAGE.read_text(encoding="utf-8") == page(found), "run python -m tests.abuse.page, and look at what changed"
    assert [] == [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.ERROR and "UTF-8" not in record.getMessage()
    ]
