"""The engine's bindings without what comes along with them."""

import importlib.util
import sys

_PACKAGE = "llama_cpp"


def leave_out_the_rest() -> None:
    """Let `llama_cpp.llama_cpp` be imported without the package's own __init__, which nobody here uses.

    It loads a chat client, a tokenizer and numpy: 0.15 s of a child's start, and 16 MB. Call it before the first
    import; where there is no such package, the import says so.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None and _PACKAGE not in sys.modules:
        sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
