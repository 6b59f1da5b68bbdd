"""Every repository of the catalog on a Hub of our own; each file is the real starter model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desktop.catalog.catalog import load_catalog
from desktop.library.starter import starter_model
from desktop.paths import catalog_file
from tests.support.hub_server import HubServer
from tests.support.hub_values import ServedFile


@contextmanager
def serve_everything() -> Iterator[HubServer]:
    """Start the server; the starter is hashed once and served under every name."""
    source = Path(starter_model().path)
    with HubServer() as hub:
        first: ServedFile | None = None
        for model in load_catalog(catalog_file()).models:
            for quantization in model.quantizations:
                if first is None:
                    first = hub.add(quantization.repo, quantization.file, source)
                    continue
                hub.add_served(quantization.repo, quantization.file, first)
        yield hub
