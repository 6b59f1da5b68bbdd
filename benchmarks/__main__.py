"""All benchmarks, one after the other: `make bench`. Exit code 1 when one of them missed its bound."""

import subprocess
import sys

ALL = ("startup", "decode", "split")


def main() -> int:
    """Run each in a process of its own and keep going."""
    missed = []
    for name in ALL:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            missed.append(name)
    if missed:
        print(f"missed: {', '.join(missed)}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
