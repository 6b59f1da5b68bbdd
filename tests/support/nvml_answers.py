"""Reads NVIDIA's cards once per scenario, in a process of its own: what hangs or breaks there is not the test's.

    python -m tests.support.nvml_answers LIBRARY SECONDS SCENARIO SECONDS SCENARIO ...

Prints a line of JSON per scenario: what was found within its seconds, and the problem of a source that failed or hung.
"""

import os
import sys

import msgspec

from desktop.hardware.nvidia import LIBRARY_VARIABLE, nvml
from desktop.hardware.nvidia_cards import read_nvidia
from desktop.hardware.nvidia_samples import NvidiaSampler
from desktop.hardware.sources import Asked, Found, once
from desktop.hardware.types import GpuSample, SourceProblem


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one scenario."""

    found: Found | None
    problem: SourceProblem | None
    samples: tuple[GpuSample, ...] = ()


def _sample() -> tuple[GpuSample, ...]:
    with nvml():
        return tuple(NvidiaSampler().sample((4242,))[0])


def main() -> None:
    """Leave with os._exit: a call that hangs must not keep the process from ending."""
    library, *scenarios = sys.argv[1:]
    os.environ[LIBRARY_VARIABLE] = library
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the library prints
    for seconds, scenario in zip(scenarios[::2], scenarios[1::2], strict=True):
        os.environ["STUB_NVML_SCENARIO"] = scenario
        found, problem, how = Asked("NVML", read_nvidia).wait(float(seconds))
        hangs = how.outcome == "slow"
        samples = () if hangs else Asked("samples", once(_sample)).wait(float(seconds))[0] or ()
        output.write(msgspec.json.encode(Answer(found=found, problem=problem, samples=samples)) + b"\n")
        output.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
