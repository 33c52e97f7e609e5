"""What is kept of a user, over HTTP: given out whole, or erased."""

import asyncio
import logging
from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel
from starlette.convertors import register_url_convertor
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tocsin.application.export import Export
from tocsin.domain.errors import NotFound
from tocsin.domain.user_id import UserId, parse_user_id
from tocsin.rest.answers import Responses, api_router, json_response, problems
from tocsin.rest.callers import Caller, Publisher, uses
from tocsin.rest.endpoint import UserIdConvertor
from tocsin.rest.uses import Uses

# Nobody holds a place for ever by reading slowly.
EXPORT_S = 1_800

_log = logging.getLogger(__name__)
router = api_router("users")


class _WholeUserConvertor(UserIdConvertor):
    """One behind which nothing follows: what is wrongly asked of an export must not erase."""

    regex = f"(?!.*/(?:export|erasure)$){UserIdConvertor.regex}"


register_url_convertor("whole_user", _WholeUserConvertor())

App = Annotated[Uses, Depends(uses)]
_EXPORT: Responses = {
    200: {
        "description": "One JSON object, sent as it is read: `user_id`, `exported_at`, and a list or object a kind.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


class _ExportResponse(StreamingResponse):
    """An export, which has its place until the last byte is sent, its client has gone or the time is over."""

    def __init__(self, export: Export) -> None:
        headers = {"cache-control": "no-store", "content-disposition": 'attachment; filename="export.json"'}
        super().__init__(export, media_type="application/json", headers=headers)
        self._export = export

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; broken off after ``EXPORT_S``, as by a server that ends."""
        try:
            async with asyncio.timeout(EXPORT_S):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            _log.warning("an export was broken off: its client did not take it within %d s", EXPORT_S)
        finally:
            await self._export.close()


class ErasureView(BaseModel):
    """How far the erasure of a user is."""

    user_id: int | str
    state: str
    requested_at: str
    rows: int


@router.get("/api/users/{user_id:user}/export", response_model=None, responses={**problems(404), **_EXPORT})
async def export_user(app: App, caller: Caller, user_id: str) -> Response:
    """
    Return everything that is kept of a user: the caller's own, or anybody's with the scope `publish`.

    An answer that breaks off before its last brace is not whole: ask again.
    """
    wanted = _user(user_id)
    if wanted != caller.user_id and "publish" not in caller.scopes:
        raise NotFound("there is no such user, or it is somebody else")
    return _ExportResponse(app.exports.open(wanted))


@router.delete("/api/users/{user_id:whole_user}", status_code=202, response_model=ErasureView, responses=problems())
async def erase_user(app: App, _: Publisher, user_id: str) -> Response:
    """
    Erase everything that is kept of a user; needs the scope `publish`. Once more changes nothing.

    It begins at once and is done some minutes later; what is published to the user meanwhile goes as well.
    """
    return json_response((await app.erasures.request(_user(user_id))).json(), 202)


@router.get("/api/users/{user_id:user}/erasure", response_model=ErasureView, responses=problems(404))
async def get_erasure(app: App, _: Publisher, user_id: str) -> Response:
    """Tell how far the erasure of a user is; 404 when it is done. Needs the scope `publish`."""
    return json_response((await app.erasures.get(_user(user_id))).json())


def _user(user_id: str) -> UserId:
    return parse_user_id(user_id)
