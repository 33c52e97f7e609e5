"""
What the OpenAPI document says beyond the routes: an example for each body, and the refusals once for all of them.

A test sends every example to a server.
"""

from typing import Any

from tocsin.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Overloaded,
    PayloadTooBig,
    RateLimited,
    StorageFull,
    TocsinError,
    Unauthenticated,
)
from tocsin.rest.problems import PROBLEM, Malformed, RequestTimeout, UnsupportedMediaType

Json = dict[str, Any]

_KEYS: Json = {
    "user_id": 456,
    "device_id": "KQ3VZ7XWNA",
    "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
    "keys": {"curve25519:KQ3VZ7XWNA": "base64", "ed25519:KQ3VZ7XWNA": "base64"},
}

# By operation: each with a name, so that a page can show them apart.
BODIES: dict[str, dict[str, Json]] = {
    "create_notification": {
        "to one user": {
            "user_id": 456,
            "type": "order",
            "title": "Shipped",
            "message": "Your order is on its way",
            "data": {"order_id": 17, "link": "/orders/17"},
            "priority": "high",
        },
        "to whoever follows a topic": {
            "topic": "sale",
            "type": "news",
            "title": "Sale",
            "message": "It begins now",
            "ttl_s": 86_400,
        },
        "one card of many": {
            "user_id": 456,
            "type": "post_liked",
            "template": "post_liked",
            "params": {"user_name": "Mina"},
            "group": {"key": "likes-of-post-9", "actor": {"id": 12, "name": "Mina"}},
        },
        "later": {
            "user_id": 456,
            "type": "reminder",
            "title": "Your trial ends tomorrow",
            "message": "",
            "deliver_at": "2030-01-01T09:00:00Z",
        },
        "first come, first served": {
            "user_ids": [456, 457],
            "type": "ticket",
            "title": "A customer waits",
            "message": "Who takes it?",
            "claimable": True,
        },
    },
    "change_notification": {
        "snooze": {"snoozed_until": "2030-01-01T09:00:00Z"},
        "another content, by a publisher": {"title": "Delivered", "message": "It was left at the door"},
    },
    "mark_all_read": {"of a category": {"category": "billing"}},
    "archive_all": {"what is read": {"read_only": True}},
    "put_preferences": {
        "a quiet night": {
            "categories": {"*": {"sound": "chime"}, "marketing": {"inbox": False}, "likes": {"digest": "daily"}},
            "quiet_hours": {"from": "22:00", "until": "07:00", "time_zone": "Asia/Seoul"},
            "locale": "ko",
        }
    },
    "put_defaults": {"no e-mail for likes": {"categories": {"likes": {"channels": False}}}},
    "put_template": {
        "in two languages": {
            "locales": {
                "en": {"title": "Invoice {{ number }} is due", "message": "In {{ days }} days."},
                "ko": {"title": "청구서 {{ number }} 납부일", "message": "{{ days }}일 남았어요."},
            }
        }
    },
    "add_channel": {
        "a mailbox": {
            "user_id": 456,
            "url": "mailto://shop:password@example.com?to=mina@example.com",
            "name": "Mina's mail",
        }
    },
    "send_message": {
        "a text": {
            "to_user_id": 456,
            "message": "안녕하세요",
            "client_msg_id": "1f0c2a52-9d0e-4a55-8d3f-2c8ab0a0f7d1",
        }
    },
    "edit_message": {"another text": {"message": "안녕히 가세요"}},
    "publish_event": {
        "an order": {
            "namespace": "/orders",
            "event": "order_updated",
            "user_id": 456,
            "data": {"order_id": 17, "status": "shipped"},
        }
    },
    "send_test": {"to oneself": {"user_id": 456, "title": "Test", "message": "Sent from the dashboard."}},
    "revoke_sessions": {"whatever a user has": {"user_id": 458}, "one token": {"jti": "token-17"}},
    "register_device": {
        "a phone": {"token": "token-of-firebase", "platform": "android", "device_name": "Mina's phone"}
    },
    "unregister_device": {"a phone": {"token": "token-of-firebase"}},
    "unregister_all_devices": {"all of one's own": {}},
    "subscribe_topic": {"a topic": {"topic": "news"}},
    "unsubscribe_topic": {"a topic": {"topic": "news"}},
    "save_webpush_subscription": {
        "a browser": {
            "endpoint": "https://push.services.mozilla.com/wpush/v2/example",
            "expirationTime": None,
            "keys": {
                "p256dh": "BLc4xRzKlKORKWlbdgFaBrrPK3ydWAHo4M0gs0i1oEKgPpWC5cW8OCzVrOQRv-1npXRWk8udnW3oYhIO4475rds",
                "auth": "5I2Bu2oKdyy9CwL8QVF0NQ",
            },
        }
    },
    "delete_webpush_subscription": {"a browser": {"endpoint": "https://push.services.mozilla.com/wpush/v2/example"}},
    "take_webpush_receipt": {"it was shown": {"receipt": "as the push brought it", "event": "shown"}},
    "upload_keys": {"a device": {"device_id": "KQ3VZ7XWNA", "device_name": "Firefox", "device_keys": _KEYS}},
    "query_devices": {"of two users": {"user_ids": [456, 457]}},
    "claim_keys": {"of one device": {"devices": [{"user_id": 456, "device_id": "KQ3VZ7XWNA"}]}},
    "send_to_devices": {
        "one device": {
            "type": "m.room.encrypted",
            "messages": [{"user_id": 456, "device_id": "KQ3VZ7XWNA", "content": {"ciphertext": "base64"}}],
        }
    },
    "acknowledge_inbox": {"up to one": {"device_id": "KQ3VZ7XWNA", "up_to": "0192f6d2-0000-7000-8000-000000000000"}},
}

_REFUSALS: dict[int, TocsinError] = {
    error.status: error
    for error in (
        Malformed("the body is not JSON: unexpected end of data"),
        Unauthenticated("the token has expired"),
        Forbidden("this needs the scope publish"),
        NotFound("there is no such notification"),
        RequestTimeout("the body did not arrive within 30 s"),
        Conflict("its state does not allow this now"),
        PayloadTooBig("the body has more than 1000000 bytes"),
        UnsupportedMediaType("the body must be application/json"),
        Invalid("title: String should have at most 200 characters"),
        RateLimited("too many of these", retry_after_s=3),
        Overloaded("too much waits to be committed", retry_after_s=1),
        StorageFull("the disk is full"),
    )
}
_SECONDS = {"schema": {"type": "integer"}}
_HEADERS: dict[int, Json] = {
    401: {"WWW-Authenticate": {"description": "`Bearer` (RFC 6750).", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds.", **_SECONDS}},
    503: {"Retry-After": {"description": "Seconds.", **_SECONDS}},
}


def complete(document: Json) -> None:
    """Put the examples into the document, and each refusal that routes share into its components."""
    _drop_impossible_defaults(document["components"]["schemas"])
    shared = document["components"].setdefault("responses", {})
    for item in document["paths"].values():
        for operation in item.values():
            _add_examples(operation)
            for status, response in operation["responses"].items():
                if PROBLEM in response.get("content", {}):
                    shared.setdefault(f"Problem{status}", _with_example(int(status), response))
                    operation["responses"][status] = {"$ref": f"#/components/responses/Problem{status}"}


def _drop_impossible_defaults(schemas: Json) -> None:
    # An empty text where one may not be given says "not given": it is no value that a client could send.
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if field.get("default") == "" and field.get("minLength"):
                del field["default"]


def _add_examples(operation: Json) -> None:
    examples = BODIES.get(operation["operationId"])
    if examples is not None:
        content = operation["requestBody"]["content"]["application/json"]
        content["examples"] = {
            name.replace(" ", "-"): {"summary": name, "value": one} for name, one in examples.items()
        }


def _with_example(status: int, response: Json) -> Json:
    content = {PROBLEM: {**response["content"][PROBLEM], "example": _REFUSALS[status].problem()}}
    return {**response, **({"headers": _HEADERS[status]} if status in _HEADERS else {}), "content": content}
