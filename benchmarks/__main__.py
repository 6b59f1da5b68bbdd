"""All benchmarks, one after the other: `make bench`.

    python -m benchmarks [--quick | --pairs N]

--quick takes the fewest pairs that have an interval and one quantization: it shows that everything runs. Exit code 1
when one missed its bound, 2 when none did but one could not be measured here.
"""

import argparse
import subprocess
import sys
import time

from benchmarks.statistics import FEWEST

QUICK = ("--pairs", str(FEWEST), "--types")
ALL: dict[str, tuple[str, ...]] = {
    "startup": QUICK[:2],
    "decode": (*QUICK, "Q4_1"),
    "prompt": (*QUICK, "Q4_0"),
    "beside_idle": (*QUICK, "Q4_0"),
    "clients8": (*QUICK, "Q4_1"),
    "shared_prefix": (*QUICK, "Q4_0"),
    "gaps": (*QUICK, "Q4_0"),
    "long_conversation": (*QUICK, "Q4_0"),
    "busy_core": (*QUICK, "Q4_1"),
    "lookup": (*QUICK, "Q4_1"),
    "memory": (*QUICK, "Q4_1"),
    "split": (),
    "exact_fit": (),
    "page_prices": (),
    "remote_headers": (),
    "downloads": QUICK[:2],
    "library": (),
    "sampler_idle": (),
    "speed_accuracy": (),
}
"""Each with the arguments of a quick run; those without have no pairs."""
PROBLEMS = {1: "missed", 2: "not measured"}


def main() -> int:
    """Run each in a process of its own and keep going."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few pairs of one quantization")
    parser.add_argument("--pairs", help="of each quantization, instead of what each benchmark takes by itself")
    arguments = parser.parse_args()
    codes = {}
    for name, few in ALL.items():
        print(f"== {name}", flush=True)
        began = time.monotonic()
        more = few if arguments.quick else ("--pairs", arguments.pairs) if arguments.pairs and few else ()
        command = [sys.executable, "-m", f"benchmarks.{name}", *more]
        codes[name] = subprocess.run(command, check=False).returncode
        print(f"   ({time.monotonic() - began:.0f} s)", flush=True)
    for code, words in PROBLEMS.items():
        if found := [name for name, got in codes.items() if got == code or (code == 1 and got not in {0, *PROBLEMS})]:
            print(f"{words}: {', '.join(found)}")
    bad = set(codes.values()) - {0}
    return 0 if not bad else 2 if bad == {2} else 1


if __name__ == "__main__":
    sys.exit(main())
