#!/bin/sh
# Finds a Python that is new enough and hands over to setup_environment.py; says in plain words when there is none.
set -eu
folder=$(dirname "$0")

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    candidates=$PYTHON
else
    candidates="python3 python3.13 python3.12 python3.11 python3.14 python"
fi
for candidate in $candidates; do
    if new_enough "$candidate"; then
        exec "$candidate" "$folder/setup_environment.py" "$@"
    fi
done

echo "error: Snug needs Python 3.11 or newer, and none was found (looked for: $candidates)." >&2
sudo="sudo "
[ "$(id -u)" = 0 ] && sudo=""
if command -v apt-get >/dev/null; then
    echo "hint: ${sudo}apt-get install python3 python3-venv   (on an older release: python3.11 python3.11-venv)" >&2
elif command -v dnf >/dev/null; then
    echo "hint: ${sudo}dnf install python3.12" >&2
elif command -v pacman >/dev/null; then
    echo "hint: ${sudo}pacman -S python" >&2
elif command -v zypper >/dev/null; then
    echo "hint: ${sudo}zypper install python312" >&2
elif command -v brew >/dev/null; then
    echo "hint: brew install python@3.12" >&2
else
    echo "hint: install it, then name it: make PYTHON=/path/to/python3 run" >&2
fi
exit 1
