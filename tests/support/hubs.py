"""The Hub at an address of a test."""

from desktop.catalog.hub import Hub


def hub_at(endpoint: str, token: str | None = None, *, offline: bool = False) -> Hub:
    """The Hub as a person has it who lets `token` go to `endpoint`; nothing else is set."""
    environment = {"HF_TOKEN": token} if token else {}
    return Hub(endpoint, offline, token_to_mirror=True, environment=environment)
