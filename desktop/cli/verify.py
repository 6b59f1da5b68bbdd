"""`snug verify`: check the files of a model."""

import argparse
from typing import TYPE_CHECKING

import msgspec

from desktop.cli.output import print_json, print_text
from desktop.cli.progress import ByteProgress
from desktop.sizes import gb

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from desktop.services import Services

_SAID = {
    "sha256": "verified: {id} is what its publisher says ({size}, SHA-256 {sha256})",
    "structure": "verified: {id} is whole ({size}); nobody says which SHA-256 it should have",
}


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed as JSON. proof: sha256 or structure. sha256: of the file, of a split model the first; or null."""

    id: str
    path: str
    size: int
    proof: str
    sha256: str | None
    seconds: float


def add_parser(verbs: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = verbs.add_parser("verify", help="check that the files of a model are whole and what their publisher says")
    parser.add_argument("model", metavar="MODEL", help="an installed model, or the path of a GGUF file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Check it; a model that is not right is an error, with exit code 1."""
    from desktop.actions.library import find_entry, verify_model

    model = await find_entry(services, arguments.model)
    with ByteProgress("Reading") as progress:
        checked = await verify_model(services, model, on_progress=progress)
    if arguments.json:
        result = Verified(
            id=checked.model.id,
            path=checked.model.path,
            size=checked.model.size,
            proof=checked.proof,
            sha256=checked.sha256 or None,
            seconds=checked.seconds,
        )
        print_json(result)
    else:
        print_text(_SAID[checked.proof].format(id=checked.model.id, size=gb(checked.model.size), sha256=checked.sha256))
    return 0
