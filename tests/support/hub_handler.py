"""What the two servers of the Hub of our tests have in common: they record every request, and how they answer."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from tests.support.hub_state import HubState
from tests.support.hub_values import Fault, Recorded
from tests.support.stoppable_server import StoppableServer


class HandlerServer(StoppableServer):
    """One of the two servers."""

    def __init__(self, handler: type["Handler"], hub: HubState) -> None:
        super().__init__(handler)
        self.hub = hub


class Handler(BaseHTTPRequestHandler):
    """Records and answers; a subclass has the requests of its host."""

    protocol_version = "HTTP/1.1"
    server: HandlerServer
    host: Literal["hub", "cdn"]

    @property
    def hub(self) -> HubState:
        return self.server.hub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Quiet: the requests are recorded."""

    def begin(self) -> Recorded:
        get = self.headers.get
        recorded = Recorded(self.host, self.command, self.path, get("Authorization"), get("Range"), get("If-Range"))
        self.recorded = recorded
        self.hub.record(recorded)
        return recorded

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.recorded.status = status
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_status(self, fault: Fault) -> None:
        wait = {} if fault.seconds is None else {"Retry_After": str(round(fault.seconds))}
        self.answer(fault.status, b"no", **wait)

    def answer_json(self, value: object) -> None:
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json")

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, b"{}", X_Error_Code=code, X_Error_Message=code)
