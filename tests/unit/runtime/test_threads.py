"""One thread per physical core."""

from desktop.runtime.threads import count_cores, physical_cores


def test_two_threads_of_a_core_count_once() -> None:
    lines = []
    for package, core in [(0, 0), (0, 1), (0, 0), (0, 1), (1, 0), (1, 1)]:
        lines += [f"physical id\t: {package}", f"core id\t\t: {core}", ""]
    assert count_cores(lines) == 4


def test_a_machine_that_does_not_tell_counts_nothing() -> None:
    assert count_cores(["processor : 0", "BogoMIPS : 50.0"]) == 0


def test_there_is_always_a_thread() -> None:
    assert physical_cores() >= 1
