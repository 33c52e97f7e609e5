"""The OpenAPI and the AsyncAPI document: valid, and what the server does."""

import json
from pathlib import Path
from uuid import uuid4

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.conftest import SECRET
from tocsin.domain.events import NAMESPACES
from tocsin.rest.documented import BODIES
from tocsin.testing.client import LiveClient

SPECS = Path(__file__).parent / "node/node_modules/@asyncapi/specs/schemas"
# What only a browser's library or push service can word: the shape is checked, the answer is a refusal.
REFUSED = {"take_webpush_receipt": 403, "save_webpush_subscription": 422}
MISSING = {"delete_webpush_subscription": 404}


@pytest.fixture(scope="module")
def openapi(shared_server):
    return shared_server.http.get("/openapi.json").json()


@pytest.fixture(scope="module")
def asyncapi(shared_server):
    return shared_server.http.get("/asyncapi.json").json()


def schema_in(document, reference):
    """Return a validator of a schema of the document, whose references lead into the document."""
    return jsonschema_rs.Draft202012Validator({"components": document["components"], **reference})


EXAMPLES = [(operation, name) for operation, examples in BODIES.items() for name in examples]


def test_the_openapi_document_is_valid(openapi):
    """It is OpenAPI 3.1, and every schema in it is one."""
    OpenAPIV31SpecValidator(openapi).validate()

    assert openapi["openapi"].startswith("3.1.")


def test_every_operation_is_documented_in_full(openapi):
    """Each has words, a security, an example where it takes a body, and its refusals as problems."""
    for path, item in openapi["paths"].items():
        for operation in item.values():
            assert operation["summary"]
            assert operation["description"]
            assert operation.get("security") or not path.startswith("/api/") or path.endswith("/receipts")
            assert ("requestBody" in operation) == (operation["operationId"] in BODIES)
            refusals = {status: one for status, one in operation["responses"].items() if status >= "400"}
            assert all(one == {"$ref": f"#/components/responses/Problem{status}"} for status, one in refusals.items())


def test_example_refusals_are_problems(openapi):
    """The example of each refusal fits the schema, and says its own status."""
    for name, response in openapi["components"]["responses"].items():
        (content,) = response["content"].values()
        schema_in(openapi, content["schema"]).validate(content["example"])
        assert name == f"Problem{content['example']['status']}"


@pytest.mark.parametrize(("operation", "name"), EXAMPLES, ids=[" ".join(one) for one in EXAMPLES])
def test_examples_are_taken(shared_server, openapi, operation, name):
    """Each example fits its schema; sent to a server it is answered as documented, and the answer fits, too."""
    ((path, method, told),) = [
        (path, method, one)
        for path, item in openapi["paths"].items()
        for method, one in item.items()
        if one["operationId"] == operation
    ]
    body = BODIES[operation][name]
    schema_in(openapi, told["requestBody"]["content"]["application/json"]["schema"]).validate(body)
    headers = shared_server.bearer(456, "publish admin")
    made = BODIES["create_notification"]["to one user"]
    if operation == "edit_message":
        made = BODIES["send_message"]["a text"] | {"client_msg_id": str(uuid4())}
    if "_id}" in path:
        place = "/api/chat/messages" if operation == "edit_message" else "/api/notifications"
        parameter = path.partition("{")[2].partition("}")[0]
        created = shared_server.http.post(place, json=made, headers=headers).json()
        path = path.replace(f"{{{parameter}}}", created["id"])
    path = path.replace("{name}", "invoice_due")

    answer = shared_server.http.request(method, path, json=body, headers=headers)

    assert answer.status_code == (REFUSED | MISSING).get(operation, answer.status_code)
    assert answer.is_success or operation in REFUSED | MISSING, answer.text
    if answer.is_success and answer.content:
        schema = told["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        schema_in(openapi, schema).validate(answer.json())


def test_the_asyncapi_document_is_valid(asyncapi):
    """It fits the schema that AsyncAPI publishes for 3.0, and its references lead somewhere."""
    schema = json.loads((SPECS / "3.0.0.json").read_text())
    jsonschema_rs.Draft7Validator(schema).validate(asyncapi)

    for reference in references(asyncapi):
        found = asyncapi
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


@pytest.mark.slow
def test_the_sockets_do_as_the_asyncapi_document_says(shared_server, asyncapi):
    """Every client event is asked as documented; each ack and each event that comes of it fits its schema."""
    asked = set()

    def ask(client, namespace, event, data):
        place = namespace[1:]
        messages = asyncapi["components"]["messages"]
        schema_in(asyncapi, messages[f"{place}.ask.{event}"]["payload"]).validate(data)
        ack = client.emit(namespace, event, data)
        schema_in(asyncapi, messages[f"{place}.ack.{event}"]["payload"]).validate(ack)
        assert ack["ok"], ack
        asked.add((namespace, event))
        return ack

    mina, junho = (LiveClient(shared_server.url, shared_server.mint(user)) for user in (901, 902))
    with mina, junho:
        sent = ask(mina, "/chat", "send_message", {"to_user_id": 902, "message": "Hello", "client_msg_id": "first"})
        ask(mina, "/chat", "edit_message", {"message_id": sent["id"], "message": "Hello!"})
        ask(mina, "/chat", "typing", {"to_user_id": 902, "is_typing": True})
        ask(junho, "/chat", "mark_read", {"message_id": sent["id"]})
        ask(mina, "/chat", "delete_message", {"message_id": sent["id"]})
        ask(mina, "/chat", "watch", {"user_ids": [902]})
        ask(mina, "/sns", "watch", {"user_ids": [902]})
        ask(mina, "/sns", "publish_start", {"post_id": 3, "platforms": ["instagram"]})
        headers = shared_server.bearer("backend", "publish")
        ids = [
            shared_server.http.post("/api/notifications", json=one | {"user_id": 901}, headers=headers).json()["id"]
            for one in [{"type": "order", "title": "Shipped", "message": ""}] * 2
        ]
        ask(mina, "/notifications", "mark_seen", {"notification_ids": ids})
        ask(mina, "/notifications", "mark_read", {"notification_id": ids[0]})
        ask(mina, "/notifications", "mark_all_read", {})
        ask(mina, "/notifications", "delete", {"notification_id": ids[0]})
        event = {"namespace": "/orders", "event": "order_updated", "user_id": 901, "data": {"order_id": 17}}
        assert shared_server.http.post("/api/events", json=event, headers=headers).is_success
        mina.wait_for("order_updated")
        for namespace in NAMESPACES:
            ask(mina, namespace, "ack", {"seq": 0})
            ask(mina, namespace, "replay", {"after": 0})
            ask(mina, namespace, "reauth", {"token": shared_server.mint(901)})
        mina.wait_for("notification_deleted")
        refusal = mina.emit("/chat", "mark_read", {"message_id": "none"})
        schema_in(asyncapi, asyncapi["components"]["messages"]["chat.ack.mark_read"]["payload"]).validate(refusal)
        heard = [*mina.events, *junho.events]

    operations = asyncapi["operations"]
    assert asked == {(f"/{key.split('.')[1]}", key.split(".")[2]) for key in operations if key.startswith("receive.")}
    for one in heard:
        message = asyncapi["components"]["messages"][f"{one.namespace[1:]}.{one.event}"]
        schema_in(asyncapi, message["payload"]).validate(one.data)
    assert len({one.event for one in heard}) > 12


def test_the_secret_is_in_neither(openapi, asyncapi):
    """Nothing of the settings is told."""
    assert SECRET not in json.dumps([openapi, asyncapi])
