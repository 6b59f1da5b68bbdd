"""`snug recommend`: the best model for this machine, or for one that is not here."""

import argparse
import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from desktop.cli.output import print_json, print_note, print_table, print_text
from desktop.errors import WrongUsage
from desktop.sizes import gb, gib

if TYPE_CHECKING:
    from desktop.fit.cards.cards import Card
    from desktop.fit.types import Choice, Recommendation
    from desktop.hardware.types import HardwareProfile
    from desktop.services import Services

_SHOWN = 12
_SIZE = re.compile(r"^(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?)(?:i?B)?$", re.IGNORECASE)
# Memory is made in powers of two: a "16 GB" card has 16 GiB, so both spellings mean the same here.
_UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_LARGEST = 1 << 50


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("recommend", help="rank the models that fit this machine, or another one")
    parser.add_argument("--context", metavar="N", type=int, help="context that must fit (default: see settings)")
    parser.add_argument(
        "--gpu",
        metavar="CARD",
        nargs="+",
        action="extend",
        default=[],
        help='think of these graphics cards instead, by memory or by name, for example 16GB "RTX 3060 12GB"',
    )
    parser.add_argument("--ram", metavar="SIZE", help="think of this much main memory instead, for example 32GB")
    parser.add_argument("--min-speed", metavar="T", type=float, help="least tokens per second (default: see settings)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Print the answer first, then the table behind it.

    Raises WrongUsage for a size, a context or a speed that cannot be.
    """
    import asyncio
    from functools import partial

    from desktop.actions.recommend import recommend_models
    from desktop.cli.library import open_to_read
    from desktop.fit.cards.cards import card_called

    _check(arguments)
    gpus = [card_called(text) for text in arguments.gpu]
    ram = parse_size("--ram", arguments.ram) if arguments.ram else None
    profile = await _profile(services, gpus, ram)
    await open_to_read(services)
    rank = partial(recommend_models, context=arguments.context, minimum_speed=arguments.min_speed)
    answer = await asyncio.to_thread(rank, services, profile)
    if arguments.json:
        print_json(as_json(answer))
    else:
        _print_answer(answer)
    return 0


def parse_size(option: str, text: str) -> int:
    """Turn "16GB", "16GiB" or "512MB" into bytes; raises WrongUsage."""
    match = _SIZE.match(text.strip())
    unit = _UNITS.get(match["unit"].upper()) if match else None
    if match is None or unit is None:
        raise WrongUsage(reason=f'{option} "{text}" is not a size of memory; write it like 16GB or 512MB')
    size = float(match["number"]) * unit
    if not 0 < size <= _LARGEST:
        raise WrongUsage(reason=f'{option} "{text}" cannot be the size of a memory')
    return int(size)


def as_json(answer: "Recommendation") -> dict[str, Any]:
    """Return the answer as docs/cli.md describes it; every Phrase is a sentence."""
    return {
        "context": answer.context,
        "devices": [msgspec.to_builtins(budget) for budget in answer.budgets],
        "choices": [choice_as_json(choice) for choice in answer.choices],
        "rejected": [choice_as_json(choice) for choice in answer.rejected],
        "notes": [note.render() for note in answer.notes],
    }


def check_context(context: int | None) -> None:
    """Raise WrongUsage for what cannot be a context."""
    from desktop.engine.protocol import MOST_CONTEXT

    if context is not None and not 1 <= context <= MOST_CONTEXT:
        raise WrongUsage(reason=f"--context {context} is not a number of tokens that a model could have")


def _check(arguments: argparse.Namespace) -> None:
    check_context(arguments.context)
    speed = arguments.min_speed
    if speed is not None and not (math.isfinite(speed) and speed >= 0):
        raise WrongUsage(reason=f"--min-speed {speed} is not a speed in tokens per second")


async def _profile(services: "Services", gpus: "list[Card]", ram: int | None) -> "HardwareProfile":
    from desktop.actions.survey import survey
    from desktop.fit.cards.what_if import imagine

    found = await survey(services)
    if found.failure is not None and not gpus:
        message, hint = found.failure.explain()
        print_note(f"note: the engine could not be asked which devices it uses: {message}\nhint: {hint}")
    return imagine(found.profile, gpus=gpus, ram=ram)


def choice_as_json(choice: "Choice") -> dict[str, Any]:
    """Return a choice as docs/cli.md describes it."""
    fields: dict[str, Any] = msgspec.to_builtins(choice)
    fields = {"model": fields.pop("model_id"), "name": fields.pop("model_name"), **fields}
    fields["placement"]["n_gpu_layers"] = fields.pop("n_gpu_layers")
    fields["memory"] = {part.device: part.total for part in choice.memory}
    fields["speed"]["decode"] = choice.speed.decode
    fields["reasons"] = [reason.render() for reason in choice.reasons]
    return fields


def _print_answer(answer: "Recommendation") -> None:
    if answer.choices:
        _print_best(answer.choices[0])
        print_text()
        _print_choices(answer)
        print_text()
    for note in answer.notes:
        print_text(note.render())
    if answer.rejected:
        print_text(f"{len(answer.rejected)} models were left out; --json says of each what is in its way.")


def _print_best(choice: "Choice") -> None:
    print_text(f"{choice.model_name}, {choice.quantization} ({choice.model_id}:{choice.quantization})")
    for reason in choice.reasons:
        print_text(f"  - {reason.render()}")


def _print_choices(answer: "Recommendation") -> None:
    rows: list[tuple[str, ...]] = [("", "MODEL", "FILE", "SIZE", "MEMORY", "TOK/S", "QUALITY", "LAYERS")]
    for place, choice in enumerate(answer.choices[:_SHOWN], start=1):
        rows.append(_table_row(place, choice))
    print_table(rows, right=(0, 3, 4, 5))
    if len(answer.choices) > _SHOWN:
        print_text(f"... and {len(answer.choices) - _SHOWN} more with --json")


def _table_row(place: int, choice: "Choice") -> tuple[str, ...]:
    size = gb(choice.download_size)
    speed = f"{choice.speed.decode_low:.0f}-{choice.speed.decode_high:.0f}"
    return (  # "~": an estimate
        str(place),
        choice.model_id,
        choice.quantization,
        f"~{size}" if choice.size_is_estimate else size,
        gib(choice.memory_total),
        speed if choice.speed.measured else f"~{speed}",
        choice.quality.word,
        _where(choice),
    )


def _where(choice: "Choice") -> str:
    everything = choice.n_layer + 1
    if not choice.n_gpu_layers:
        return "all on the processor"
    if choice.kept is not None:
        kept = "experts" if choice.kept.kind == "experts" else "feed-forward"
        return f"on graphics, {kept} of {choice.kept.blocks} not"
    if choice.n_gpu_layers == everything:
        parts = "+".join(str(part) for part in choice.placement.tensor_split)
        return f"all on graphics ({parts})" if "+" in parts else "all on graphics"
    return f"{choice.n_gpu_layers} of {everything} on graphics"
