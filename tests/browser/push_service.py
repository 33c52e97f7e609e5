"""
A push service on loopback for push.test.mjs, and a back end that pushes through it; a JSON value a line.

Prints its host and a browser's subscription first. Each line of its input, `{"user_id", "title", "link"}`, is sent by
``send_push`` in this process, or with `"stored": true` stored as a notification, which the server's push ladder then
sends; `{}` does nothing. The next payload that the browser would decrypt is printed. Ends with its input.
"""

import json
import os
import sys

from tocsin.services.fcm_service import send_push
from tocsin.services.notifications import create_notification
from tocsin.testing.web_push import FakePushService


def _tell(value: object) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


with FakePushService() as service:
    os.environ["TOCSIN_WEBPUSH_HOSTS"] = service.host
    browser = service.subscribe()
    _tell({"host": service.host, "subscription": browser.subscription})
    for count, line in enumerate(sys.stdin, 1):
        order = json.loads(line)
        if order.pop("stored", False):
            data = {"link": order["link"]}
            create_notification(order["user_id"], "order", order["title"], "body", data, priority="urgent")
        elif order:
            send_push(order["user_id"], order["title"], "body", link=order["link"])
        _tell(browser.wait(count).payload)
