"""Every documented operation, driven by schemathesis over HTTP from the OpenAPI document."""

import subprocess
import sys
from pathlib import Path

import pytest

# What an answer must be, whatever was asked: no 5xx, and nothing that the document does not say.
# Not among them: that whatever fits the schema is accepted. The registry of events is no JSON schema.
JUDGED = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ignored_auth",
]
EXAMPLES = 20
LIMIT_S = 170

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_S + 20)]


@pytest.mark.parametrize(
    ("scope", "paths", "tested"),
    [("publish", ".*", 65), ("", ".*", 65), ("admin", "^/(api/admin/|metrics)|/trace$", 8)],
    ids=["publisher", "user", "operator"],
)
def test_nothing_undocumented_happens(shared_server, tmp_path, scope, paths, tested):
    """No request, valid or broken, causes a 5xx or an answer that the document lacks."""
    # Of the future: one of the requests revokes all that were made until now.
    token = shared_server.mint(456, scope, iat=4_000_000_000)
    finished = subprocess.run(
        [
            Path(sys.executable).with_name("st"),
            "run",
            f"{shared_server.url}/openapi.json",
            f"--header=Authorization: Bearer {token}",
            f"--include-path-regex={paths}",
            f"--checks={','.join(JUDGED)}",
            f"--max-examples={EXAMPLES}",
            "--generation-deterministic",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    report = finished.stdout + finished.stderr

    assert finished.returncode == 0, report
    assert f"Tested: {tested}" in report, report
