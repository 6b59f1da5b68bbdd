"""What tests of the person's token share."""

from desktop.actions.hub import list_files, search_hub
from desktop.catalog.remote_header import RemoteHeaders
from desktop.paths import user_paths
from desktop.services import Services, create_services
from desktop.settings import HF_ENDPOINT, TOKEN_TO_MIRROR
from tests.support.hub_server import HubServer
from tests.support.tiny_hub import REPO

TOKEN = "hf_aVeryPrivateToken123"


def services_at(server: HubServer, *, to_mirror: bool = True) -> Services:
    """Services as at a start of the program, with `server` as the Hub; it is a mirror, as every other host is."""
    services = create_services(user_paths())
    services.settings.set(HF_ENDPOINT, server.endpoint)
    services.settings.set(TOKEN_TO_MIRROR, to_mirror)
    return services


async def sent_to(server: HubServer, services: Services) -> set[str | None]:
    """What a search, a listing and a header sent as authorization to the Hub."""
    server.requests.clear()
    await search_hub(services, "tiny")
    listing = await list_files(services, REPO)
    async with RemoteHeaders(services.hub) as headers:
        await headers.read(repo=REPO, commit=listing.commit, file=listing.models[0].file)
    assert {request.authorization for request in server.of("cdn")} == {None}
    return {request.authorization for request in server.of("hub")}
