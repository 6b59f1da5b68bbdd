"""Only a few files may open connections, and each of them asks first whether the network is switched off."""

import ast

from tests.support.sources import Source, imported_modules, python_sources

NETWORK = {
    "aiohttp", "ftplib", "http", "httpx", "httpx2", "huggingface_hub", "requests", "smtplib", "socket", "ssl",
    "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc", "PySide6.QtNetwork",
}  # fmt: skip
DOORS = ("desktop/catalog/hub.py", "desktop/catalog/remote_header.py")
DOWNLOADS = "desktop/download/"
OTHERS = {
    "desktop/catalog/hub_client.py": "makes the clients of those doors and of downloads, and sends nothing itself",
    "desktop/catalog/hub_session.py": "has the rules of a client of those doors, and sends nothing itself",
    "desktop/ui/single_instance.py": "a local socket, by which a second start raises the first window",
    "desktop/runtime/devices/rpc.py": "workers that a plan names; no face of the program can name one yet",
}


def uses_network(source: Source) -> bool:
    """Whether a file imports what opens connections; for types alone does not count."""
    typed = {
        id(inner)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    nodes = [node for node in ast.walk(source.tree) if id(node) not in typed]
    found = (
        module
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module, _ in imported_modules(node)
    )
    return any(module in NETWORK or module.split(".")[0] in NETWORK for module in found)


def test_connections_are_opened_by_few_files() -> None:
    users = {source.path for source in python_sources("desktop") if uses_network(source)}
    doors = {path for path in users if not path.startswith(DOWNLOADS)}
    assert doors == {*DOORS, *OTHERS}


def test_every_door_asks_whether_the_network_is_switched_off() -> None:
    asked = {source.path for source in python_sources("desktop") if "require_online()" in source.text}
    assert asked >= set(DOORS)
    assert any(path.startswith(DOWNLOADS) for path in asked)


def test_what_opens_connections_is_recognised() -> None:
    def uses(text: str) -> bool:
        return uses_network(Source("example.py", text, ast.parse(text)))

    assert uses("import socket")
    assert uses("def f():\n    from urllib.request import urlopen")
    assert uses("import http.client")
    assert uses("from PySide6.QtNetwork import QTcpSocket")
    assert not uses("from urllib.parse import quote")
    assert not uses("if TYPE_CHECKING:\n    import httpx2")
