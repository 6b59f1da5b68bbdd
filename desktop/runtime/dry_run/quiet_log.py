"""The engine's log in the child of dry runs: of thousands of lines a question, only those that are read are kept."""

from desktop.runtime.engine_log import EngineLog

_WARNING = 3  # enum ggml_log_level of ggml.h
# The beginnings of nearly all lines: a tensor is loaded (llama-model-loader.cpp), an input of a graph is met.
_NOT_READ = (b"create_tensor: loading tensor ", b"llama_graph_n_input_tensors: ")


class QuietLog(EngineLog):
    """Passes on warnings and errors: a child's last words tell why it died."""

    def _on_line(self, level: int, text: bytes, data: object) -> None:
        if level < _WARNING and not self._open and text.endswith(b"\n") and not _is_read(text):
            self._level = level
        else:
            super()._on_line(level, text, data)

    def _keep(self, line: str) -> None:
        if self._level >= _WARNING:
            super()._keep(line)
        else:
            self._lines.append((self._level, line))
            self._seen += 1


def _is_read(line: bytes) -> bool:
    """Whether engine_log.assigned_layers, buffer_sizes or answer.read_caches look for it."""
    if line.startswith(_NOT_READ):
        return False
    return b" assigned to device " in line or b": dev = " in line or b" buffer size " in line or b" size = " in line
