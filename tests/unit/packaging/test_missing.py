"""What a person reads when something of the system is missing."""

import pytest

from snug_setup import checks
from snug_setup.missing import INSTALL, PACKAGES, Need, SetupError, complain, remedy

COMPILER = Need("compiler", "No C++ compiler.")
EGL = Need("libEGL.so.1", "Qt needs libEGL.so.1.")


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("apt", "sudo apt-get install g++ libegl1"),
        ("dnf", "sudo dnf install gcc-c++ libglvnd-egl"),
        ("pacman", "sudo pacman -S gcc libglvnd"),
        ("zypper", "sudo zypper install gcc-c++ libEGL1"),
    ],
)
def test_one_command_installs_everything_that_is_missing(manager: str, line: str) -> None:
    assert remedy([COMPILER, EGL], manager=manager, platform="linux", root=False) == line


def test_root_needs_no_sudo() -> None:
    assert remedy([EGL], manager="apt", platform="linux", root=True) == "apt-get install libegl1"


def test_a_mac_and_windows_get_their_own_commands() -> None:
    assert remedy([COMPILER], manager="brew", platform="darwin", root=False) == "xcode-select --install"
    assert remedy([COMPILER], manager=None, platform="darwin", root=False) == "xcode-select --install"
    assert remedy([COMPILER], manager="winget", platform="win32", root=False).startswith(
        "winget install --id Microsoft"
    )


def test_a_package_that_two_needs_share_is_named_once() -> None:
    gl = Need("libGL.so.1", "")
    assert remedy([EGL, gl], manager="pacman", platform="linux", root=True) == "pacman -S libglvnd"


def test_without_a_known_package_manager_the_names_are_given() -> None:
    line = remedy([EGL], manager=None, platform="linux", root=False)
    assert line == "install libEGL.so.1 with your system's package manager"


def test_every_library_that_is_looked_for_has_a_package_with_each_manager_of_linux() -> None:
    linux = set(INSTALL) - {"brew"}
    assert [n for n in (*checks.QT_LIBRARIES, *checks.X11_LIBRARIES) if not linux <= set(PACKAGES[n])] == []


def test_all_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(SetupError) as caught:
        complain([COMPILER, EGL])
    assert "No C++ compiler." in caught.value.message
    assert "Qt needs libEGL.so.1." in caught.value.message
    assert "run the same command again" in caught.value.hint


def test_nothing_missing_is_no_error() -> None:
    complain([])


def test_a_library_that_the_loader_does_not_find_is_reported_by_its_name() -> None:
    needs = checks.missing_libraries(["libc.so.6", "libnosuchthing.so.1"], found=lambda name: name == "libc.so.6")
    assert [need.name for need in needs] == ["libnosuchthing.so.1"]
    assert "libnosuchthing.so.1" in needs[0].sentence


def test_the_loader_is_really_asked() -> None:
    assert checks.loads("libnosuchthing.so.1") is False


@pytest.mark.parametrize(
    ("environ", "with_window", "asks_for_x11"),
    [
        ({"DISPLAY": ":0"}, True, True),
        ({"DISPLAY": ":0"}, False, False),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, True, False),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, True, False),
        ({}, True, False),
    ],
)
def test_x11_libraries_are_asked_for_only_where_a_window_opens_on_x11(
    environ: dict[str, str], with_window: bool, asks_for_x11: bool
) -> None:
    libraries = checks.qt_libraries(with_window=with_window, platform="linux", environ=environ)
    assert ("libxcb-cursor.so.0" in libraries) is asks_for_x11
    assert "libEGL.so.1" in libraries


def test_other_systems_bring_what_qt_needs() -> None:
    assert checks.qt_libraries(with_window=True, platform="darwin", environ={}) == ()


def test_a_compiler_that_is_named_but_not_there_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    [need] = checks.missing_compiler()
    assert "no-such-compiler" in need.sentence


def test_a_program_that_does_not_compile_is_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "false")
    assert [need.name for need in checks.missing_compiler()] == ["compiler"]
