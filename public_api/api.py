"""The API as a whole. Its OpenAPI schema is made from the doors; `documentation` makes a page of it."""

from __future__ import annotations

from ninja import NinjaAPI

from public_api import experiment_doors, faults, listening_doors

DESCRIPTION = """\
EvoMusic for programs. Every request carries a token, made on the account page: Authorization: Bearer evo_...
Whatever goes wrong is told in one shape: {"error": a sentence, "field": what of the request is meant, or null}.
"""

api = NinjaAPI(
    title="EvoMusic",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api-v1",
    docs_url=None,
    openapi_url="/openapi.json",
)
api.add_router("", listening_doors.router)
api.add_router("", experiment_doors.router)
faults.install(api)
