"""The engine's bindings load alone, and still find their library."""

import subprocess
import sys

_LOADED = """
import sys
from desktop.runtime.bindings import leave_out_the_rest
leave_out_the_rest()
leave_out_the_rest()
import llama_cpp.llama_cpp as llama
import llama_cpp.mtmd_cpp
assert llama.llama_version()
print("numpy" in sys.modules, "llama_cpp.llama" in sys.modules)
"""


def test_a_child_loads_the_bindings_and_no_chat_client_with_them() -> None:
    said = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.split() == ["False", "False"]
