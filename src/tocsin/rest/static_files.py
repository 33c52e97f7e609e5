"""
Files of the browser part: ``/js/websocket.js``, the service worker, encryption, the pages' scripts and styles.

They are built from ``web/`` into the package's ``static`` folder. Pages set
their own Content-Security-Policy; none of them may run inline script.
"""

from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tocsin import __version__

STATIC = Path(__file__).parent.parent / "static"
DEMO = STATIC / "demo"

ADMIN_PATH = "/tocsin/admin"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The demo's chat can encrypt, which WebAssembly does; it stays without eval.
_DEMO_POLICY = PAGE_POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
# A worker runs under the policy of its own script: this one tells the server what became of a push.
_WORKER_POLICY = "default-src 'none'; connect-src 'self'"
# Swagger UI sets style attributes; it runs no inline script.
_DOCS_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

_DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tocsin API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/init.js"></script>
</body>
</html>
"""


def add_static_files(app: FastAPI) -> None:
    """Serve every folder of the static files but the pages' under its own name, the docs page and the dashboard."""
    app.router.routes.append(Route("/docs", _docs_page))
    app.router.routes.append(Route("/", _front))
    admin = STATIC / "admin"
    # A host may have an /admin of its own: there the dashboard is at the longer path alone.
    for path in ("/admin", ADMIN_PATH):
        app.router.routes.append(Route(path, _dashboard))
    app.router.routes.append(Mount(ADMIN_PATH, Revalidated(directory=admin, check_dir=False)))
    app.router.routes.append(Route("/tocsin-sw.js", _ServiceWorker(directory=STATIC / "js", check_dir=False).answer))
    app.router.routes.append(Route("/js/e2ee.wasm", _Compressed(directory=STATIC / "js", check_dir=False).answer))
    for child in sorted(STATIC.iterdir()) if STATIC.is_dir() else []:
        if child.is_dir() and child.name not in {DEMO.name, "admin"}:
            app.router.routes.append(Mount(f"/{child.name}", Revalidated(directory=child)))


class Revalidated(StaticFiles):
    """Files that a browser may keep and must ask about before it uses them again."""

    def file_response(self, *args: object, **options: object) -> Response:
        """Return the file, or 304 when the browser has it."""
        response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"
        return response


class _ServiceWorker(Revalidated):
    """The service worker, at the root: a page may give it any scope of the site."""

    def file_response(self, *args: object, **options: object) -> Response:
        """Return the file, or 304 when the browser has it."""
        response = super().file_response(*args, **options)
        response.headers["service-worker-allowed"] = "/"
        response.headers["content-security-policy"] = _WORKER_POLICY
        return response

    async def answer(self, request: Request) -> Response:
        """Serve it; 404 where the browser part is not built."""
        return await self.get_response("tocsin-sw.js", request.scope)


class _Compressed(Revalidated):
    """
    The WebAssembly of encryption: kept compressed, a quarter of its size.

    Sent so to everybody, as a request that says nothing of encodings allows (RFC 9110, 12.5.3): to unpack it for
    whoever refuses would cost 8 MB a request, and every browser that has WebAssembly takes it.
    """

    def file_response(self, *args: object, **options: object) -> Response:
        """Return the file, or 304 when the browser has it."""
        response = super().file_response(*args, **options)
        response.headers["content-type"] = "application/wasm"
        response.headers["content-encoding"] = "gzip"
        return response

    async def answer(self, request: Request) -> Response:
        """Serve it; 404 where the browser part is not built."""
        return await self.get_response("e2ee.wasm.gz", request.scope)


def demo_page(path: Path) -> FileResponse:
    """Return an HTML page that may load what this server serves, its WebAssembly too, and nothing else."""
    return FileResponse(path, headers={"content-security-policy": _DEMO_POLICY, "cache-control": "no-cache"})


async def _dashboard(_: object) -> Response:
    """Answer the dashboard's page: anybody may have it, for it holds nothing; what it shows needs a token."""
    path = STATIC / "admin" / "index.html"
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, headers={"content-security-policy": PAGE_POLICY, "cache-control": "no-cache"})


async def _docs_page(_: object) -> Response:
    return Response(_DOCS_PAGE, headers={"content-security-policy": _DOCS_POLICY}, media_type="text/html")


async def _front(_: object) -> Response:
    return Response(f"Tocsin {__version__} is running. Its API: /docs\n", media_type="text/plain")
