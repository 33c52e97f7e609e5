"""Devices and topics for push over HTTP: the six routes under ``/api/fcm``."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from tocsin.domain.device import DeviceDraft
from tocsin.rest.answers import ONCE, api_router, json_response, problems
from tocsin.rest.callers import Caller, OnceKey, uses
from tocsin.rest.models import (
    DevicesView,
    DeviceView,
    NewDevice,
    NoFields,
    RegisteredDevice,
    RemovedView,
    SubscriptionView,
    TopicName,
)
from tocsin.rest.uses import Uses

router = api_router("fcm")

App = Annotated[Uses, Depends(uses)]


@router.post(
    "/api/fcm/register-device",
    status_code=201,
    response_model=DeviceView,
    responses=problems(415),
    openapi_extra=ONCE,
)
async def register_device(app: App, caller: Caller, body: NewDevice, once: OnceKey) -> Response:
    """
    Register a device of the caller's; apps do so at every start.

    A token that is registered already is seen now; was it another user's, it is
    the caller's from now on. Beyond the limit of devices the one not seen for
    longest goes.
    """
    draft = DeviceDraft(
        user_id=caller.user_id,
        token=body.token,
        platform=body.platform,
        device_name=body.device_name,
        kind=body.kind,
    )
    device = await app.devices.register(draft, once)
    return json_response(device.json(), 201)


@router.post(
    "/api/fcm/unregister-device",
    response_model=RemovedView,
    responses=problems(404, 415),
    openapi_extra=ONCE,
)
async def unregister_device(app: App, caller: Caller, body: RegisteredDevice, once: OnceKey) -> Response:
    """Remove one device of the caller's own."""
    await app.devices.unregister(caller.user_id, body.token, body.kind, once)
    return json_response({"removed": 1})


@router.post("/api/fcm/unregister-all", response_model=RemovedView, responses=problems(415), openapi_extra=ONCE)
async def unregister_all_devices(
    app: App,
    caller: Caller,
    once: OnceKey,
    body: NoFields | None = None,  # noqa: ARG001 refused where it has one
) -> Response:
    """Remove all devices of the caller's own; topics stay."""
    return json_response({"removed": await app.devices.unregister_all(caller.user_id, once)})


@router.post(
    "/api/fcm/subscribe-topic",
    response_model=SubscriptionView,
    responses=problems(409, 415),
    openapi_extra=ONCE,
)
async def subscribe_topic(app: App, caller: Caller, body: TopicName, once: OnceKey) -> Response:
    """Follow a topic on all devices of the caller's; once more changes nothing."""
    await app.devices.subscribe(caller.user_id, body.topic, once)
    return json_response({"topic": body.topic, "subscribed": True})


@router.post(
    "/api/fcm/unsubscribe-topic",
    response_model=SubscriptionView,
    responses=problems(415),
    openapi_extra=ONCE,
)
async def unsubscribe_topic(app: App, caller: Caller, body: TopicName, once: OnceKey) -> Response:
    """Follow a topic no more; once more changes nothing."""
    await app.devices.unsubscribe(caller.user_id, body.topic, once)
    return json_response({"topic": body.topic, "subscribed": False})


@router.get("/api/fcm/device-list", response_model=DevicesView, responses=problems())
async def list_devices(app: App, caller: Caller) -> Response:
    """List the caller's own devices, the one seen last first, and topics by name."""
    devices = await app.devices.list(caller.user_id)
    topics = await app.devices.list_topics(caller.user_id)
    return json_response({"devices": [device.json() for device in devices], "topics": topics})
