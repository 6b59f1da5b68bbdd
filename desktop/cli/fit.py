"""`snug fit MODEL`: what a model file needs on each device, and whether it fits."""

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any, Self

import msgspec

from desktop.cli.output import is_terminal, print_json, print_table, print_text, write_stderr
from desktop.cli.recommend import check_context, parse_size
from desktop.errors import WrongUsage
from desktop.sizes import gb, gib

if TYPE_CHECKING:
    from collections.abc import Sequence

    from desktop.engine.protocol import ImaginedDevice
    from desktop.fit.report import FitReport
    from desktop.fit.subject import FitSubject
    from desktop.services import Services

_SETTINGS = (
    "n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_outputs_max", "flash_attention", "swa_full", "kv_unified",
    "type_k", "type_v", "n_gpu_layers", "tensor_split", "tensor_overrides",
)  # fmt: skip
_MOST_CARDS = 15  # ggml-backend.cpp: GGML_SCHED_MAX_BACKENDS is 16, and the processor is one of them
_NAME = re.compile(r"[A-Za-z][\w. -]{0,40}")


def add_parser(subparsers: Any) -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("fit", help="show what a model file needs on each device, and whether it fits")
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a path to a GGUF, an installed model, a catalog id, owner/repo:QUANT, or owner/repo/file.gguf",
    )
    parser.add_argument("--context", metavar="N", type=int, help="tokens of context (default: as for a load)")
    parser.add_argument("--kv", choices=("f16", "q8_0", "q4_0"), help="type of the KV cache (default: as for a load)")
    parser.add_argument("--gpu-layers", metavar="N", type=int, help="layers that leave the processor, the last first")
    parser.add_argument("--tensor-split", metavar="A,B", help="layers per device, for example 20,13")
    parser.add_argument(
        "--device",
        metavar="NAME=SIZE",
        action="append",
        help="think of a card of this memory instead of those at hand, for example GPU0=16GB; up to 15 times",
    )
    parser.add_argument("--exact", action="store_true", help="ask the engine itself in a dry run, without the weights")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Print a row per device. The exit code is 0 whether it fits or not.

    Raises WrongUsage for figures that cannot be, and what actions.fit.fit_model raises.
    """
    from desktop.actions.fit import fit_model
    from desktop.cli.library import open_to_read
    from desktop.fit.plans.wish import FitWish

    check_context(arguments.context)
    wish = FitWish(
        context=arguments.context,
        kv=arguments.kv,
        gpu_layers=arguments.gpu_layers,
        tensor_split=_parse_split(arguments.tensor_split),
        imagined=_parse_devices(arguments.device) if arguments.device else None,
    )
    await open_to_read(services)
    with _Progress() as progress:
        report = await fit_model(services, arguments.model, wish=wish, exact=arguments.exact, on_progress=progress.show)
    if arguments.json:
        print_json(as_json(report))
    else:
        _print_report(report)
    return 0


def as_json(report: "FitReport") -> dict[str, Any]:
    """Return the report as docs/cli.md describes it."""
    plan: dict[str, Any] = msgspec.to_builtins(report.plan)
    speed: dict[str, Any] = msgspec.to_builtins(report.speed)
    layers = report.plan.placement.layers if report.plan.placement else ()
    return {
        "model": report.plan.model_name,
        "source": _source(report.subject),
        "devices": msgspec.to_builtins(report.devices),
        "exact": report.exact,
        "kv_by_arithmetic": report.kv_by_arithmetic,
        "settings": {name: plan[name] for name in _SETTINGS},
        "fits": report.fits,
        "speed": speed | {"decode": report.speed.decode},
        "bytes_fetched": report.subject.fetched,
        "layers_per_device": [layers.count(device.name) for device in report.devices],
        "quality": msgspec.to_builtins(report.quality),
        "kv_quality": report.kv_quality._asdict(),
        "actual": msgspec.to_builtins(report.actual),
    }


class _Progress:
    """Bytes of a header that came so far, on one line of a terminal; nothing where nobody looks."""

    def __init__(self) -> None:
        self._looked_at = is_terminal(sys.stderr)
        self._text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._text:
            self._write("")

    def show(self, received: int) -> None:
        """Say how many bytes came."""
        text = f"fetching the header: {gb(received)}"
        if self._looked_at and text != self._text:
            self._write(text)

    def _write(self, text: str) -> None:
        self._text = text
        write_stderr(f"\r\x1b[K{text}")


def _source(subject: "FitSubject") -> dict[str, str]:
    """Where the model comes from; "" where that is not known."""
    return {"repo": subject.repo, "file": subject.file or subject.path.name, "revision": subject.revision}


def _parse_split(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise WrongUsage(reason=f'--tensor-split "{text}" is not a list of layers; write it like 20,13') from None


def _parse_devices(texts: "Sequence[str]") -> "tuple[ImaginedDevice, ...]":
    if len(texts) > _MOST_CARDS:
        raise WrongUsage(reason=f"{len(texts)} times --device; the engine computes on {_MOST_CARDS} cards at most")
    cards = tuple(map(_parse_device, texts))
    names = [card.name for card in cards]
    for name in names:
        if names.count(name) > 1:
            raise WrongUsage(reason=f'--device names "{name}" more than once; give each card a name of its own')
    return cards


def _parse_device(text: str) -> "ImaginedDevice":
    from desktop.fit.cards.what_if import imagine_card

    name, separator, size = text.partition("=")
    if not separator or not _NAME.fullmatch(name) or name.upper() == "CPU":
        raise WrongUsage(reason=f'--device "{text}" is not a name and a size; write it like GPU0=16GB')
    return imagine_card(name, parse_size("--device", size))


def _print_quality(report: "FitReport") -> None:
    quality, kv = report.quality, report.kv_quality
    print_text(
        f"quality: {quality.word} (mean KL divergence to f16 about {quality.kld:.4f}, by the tensor types in the file)"
    )
    if kv.word is not None and kv.low is not None and report.plan.type_k != "f16":
        high = f" to {kv.high:.4f}" if kv.high not in (None, kv.low) else ""
        print_text(f"KV cache in {report.plan.type_k}: {kv.word} ({kv.low:.4f}{high}, measured on {kv.measured_on})")


def _print_actual(report: "FitReport") -> None:
    """What the last load with these settings took, beside what is predicted."""
    predicted = {device.name: device.weights + device.kv + device.compute for device in report.devices}
    for part in report.actual:
        stated = gib(predicted.get(part.device, 0))
        print_text(f"{part.device}: predicted {stated}, used {gib(part.total)} when it was loaded like this")


def _print_report(report: "FitReport") -> None:
    plan = report.plan
    answer = "fits" if report.fits else "does not fit"
    source = "the engine's own dry run" if report.exact else "computed; compute buffers are a careful estimate"
    print_text(f"{plan.model_name} {answer} with {plan.n_ctx} tokens of context ({source})")
    rows: list[tuple[str, ...]] = [("DEVICE", "LAYERS", "WEIGHTS", "KV", "COMPUTE", "OVERHEAD", "NEEDED", "FREE", "")]
    layers = plan.placement.layers if plan.placement else ()
    for device in report.devices:
        needed = device.weights + device.kv + device.compute + device.overhead
        sizes = (device.weights, device.kv, device.compute, device.overhead, needed, device.free)
        verdict = "fits" if device.fits else "does not fit"
        rows.append((device.name, str(layers.count(device.name)), *map(gib, sizes), verdict))
    print_table(rows, right=(1, 2, 3, 4, 5, 6, 7))
    _print_actual(report)
    speed = report.speed
    print_text(
        f"{speed.decode_low:.0f} to {speed.decode_high:.0f} tokens/s ({'measured' if speed.measured else 'estimate'})"
    )
    _print_quality(report)
    for reason in plan.reasons:
        print_text(reason.render())
    if not report.kv_by_arithmetic:
        print_text(
            "The KV cache per device is the engine's own sum, shared out: exact to 0.01 MiB in all, not on each device."
        )
    if report.subject.fetched:
        print_text(f"Fetched {gb(report.subject.fetched)} of {report.subject.repo} for this answer.")
