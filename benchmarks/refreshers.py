"""How each client that renews its token itself gives it to a caller.

Each opener takes the address of a token endpoint, and gives what every caller awaits before its call.
"""

import io
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from unittest.mock import patch

import aiohttp
from attrs import frozen
from method import Call


@asynccontextmanager
async def caxton_async(url: str) -> AsyncIterator[Call]:
    from caxton_async import CaxtonClient, Credentials, Settings

    settings = Settings(base_url=url, paths={"get_access_token": "token"})
    async with CaxtonClient(Credentials("user", "client", "password"), settings) as caxton:
        yield caxton.auth.access_token


@asynccontextmanager
async def azure(url: str) -> AsyncIterator[Call]:
    """Ask by the managed identity of App Service, whose endpoint may stand on loopback."""
    from azure.core.pipeline import PipelineContext, PipelineRequest
    from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
    from azure.core.rest import HttpRequest
    from azure.identity.aio import ManagedIdentityCredential

    with patch.dict(os.environ, {"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": "benchmark"}):
        credential = ManagedIdentityCredential()
    async with credential:
        policy = AsyncBearerTokenCredentialPolicy(credential, "benchmark/.default")

        async def call() -> None:
            request = HttpRequest("GET", "https://example.invalid/")  # is given the header, and not sent
            await policy.on_request(PipelineRequest(request, PipelineContext(None)))

        yield call


@asynccontextmanager
async def aiobotocore(url: str) -> AsyncIterator[Call]:
    """Fetch by a function of ours, since the token endpoints of AWS answer in forms of their own."""
    from aiobotocore.credentials import AioRefreshableCredentials

    async with aiohttp.ClientSession(raise_for_status=True) as session:

        async def fetch() -> dict[str, str]:
            async with session.post(url) as response:
                answer = await response.json()
            expiry = datetime.now(UTC) + timedelta(seconds=answer["expires_in"])
            token = answer["access_token"]
            return {"access_key": "a", "secret_key": "s", "token": token, "expiry_time": expiry.isoformat()}

        expired = datetime.now(UTC) - timedelta(days=1)
        credentials = AioRefreshableCredentials("a", "s", "old", expired, fetch, "benchmark")
        yield credentials.get_frozen_credentials


@asynccontextmanager
async def google_auth(url: str) -> AsyncIterator[Call]:
    """Use the module of underscores: what google.auth.aio has does not refresh."""
    from google.auth.transport._aiohttp_requests import Request
    from google.oauth2._credentials_async import Credentials

    async with aiohttp.ClientSession(auto_decompress=False) as session:
        credentials = Credentials(
            None, refresh_token="benchmark", token_uri=url, client_id="client", client_secret="secret"
        )
        yield lambda: credentials.before_request(Request(session), "GET", "https://example.invalid/", {})


@asynccontextmanager
async def gcloud_aio_auth(url: str) -> AsyncIterator[Call]:
    from gcloud.aio.auth import Token

    account = {
        "type": "authorized_user",
        "client_id": "client",
        "client_secret": "secret",
        "refresh_token": "benchmark",
    }
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        yield Token(service_file=io.StringIO(json.dumps({**account, "token_uri": url})), session=session).get


@asynccontextmanager
async def authlib(url: str) -> AsyncIterator[Call]:
    """Begin with an expired token: it renews one, and logs nobody in by itself."""
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    expired = {"access_token": "old", "token_type": "bearer", "expires_at": time.time() - 1}
    async with AsyncOAuth2Client(
        "client", "secret", token=expired, token_endpoint=url, grant_type="client_credentials"
    ) as client:
        yield lambda: client.ensure_active_token(client.token)


@frozen
class Refresher:
    """A client that renews tokens; it holds those for ageing that have `ageing_left_s` left, by its own settings."""

    open: Callable[[str], AbstractAsyncContextManager[Call]]
    packages: tuple[str, ...]
    ageing_left_s: float
    note: str

    def __str__(self) -> str:
        return ", ".join(f"{package} {version(package)}" for package in self.packages)


LOCK = "the caller that holds a lock logs in"

REFRESHERS = (
    Refresher(caxton_async, ("caxton-async",), 200, "a task of nobody's logs in; each waiter has a future of its own"),
    Refresher(azure, ("azure-core", "azure-identity"), 200, f"{LOCK}; asked as App Service's managed identity"),
    Refresher(aiobotocore, ("aiobotocore",), 700, f"{LOCK}; the others use an ageing token; fetched by our function"),
    Refresher(google_auth, ("google-auth",), 200, "each caller logs in; an ageing token counts as expired"),
    Refresher(
        gcloud_aio_auth,
        ("gcloud-aio-auth",),
        1000,
        "a task logs in, with up to five tries at random intervals; each caller awaits it",
    ),
    Refresher(authlib, ("Authlib",), 30, f"{LOCK}; an ageing token counts as expired; begins with an expired one"),
)
