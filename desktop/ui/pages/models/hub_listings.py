"""What repositories on the Hub have, as far as this page has asked: shared by the search, the files and downloads."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from desktop.actions.hub import list_files
from desktop.services import Services

if TYPE_CHECKING:  # it brings the network along, which the first paint does not wait for
    from desktop.catalog.hub_files import HubListing
    from desktop.catalog.search import HubRepo


class HubListings:
    """A listing is asked for once; `known` has them by repository, and who judges repositories adds to it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.known: dict[str, HubListing] = {}

    async def listing_of(self, repo: str) -> "HubListing":
        """The listing of a repository. Raises the errors of list_files."""
        if repo not in self.known:
            self.known[repo] = await list_files(self._services, repo)
        return self.known[repo]

    def forget(self, repo: str) -> None:
        """Ask anew the next time."""
        self.known.pop(repo, None)

    def forget_changed(self, repos: "Iterable[HubRepo]") -> None:
        """A repository that changed may have lost the commit that was listed before."""
        for repo in repos:
            known = self.known.get(repo.repo)
            if known is not None and known.repo.updated != repo.updated:
                self.forget(repo.repo)
