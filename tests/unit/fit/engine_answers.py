"""Asks the real engine, in a child, what a model needs on the CPU. Run as a script: reads questions, prints answers.

Linux only: the memory breakdown is a C++ map by value, read through its layout (libstdc++).
"""

import ctypes
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

KV_CODES = {"f16": 1, "q8_0": 8, "q4_0": 2}
"""enum ggml_type of ggml.h, for the questions' type_k and type_v."""
_registered: list[str] = []


def ask_engine(questions: list[dict[str, Any]], *, timeout: float = 110) -> list[dict[str, Any]]:
    """Return bytes per buffer and kind for each question: {"CPU weights": 1, "CPU kv": 2, "RPC0[...] compute": 3},
    and in "layers" the device of each layer.

    A question has path, n_ctx, type_k, type_v, dry, and optionally sequences and outputs (1 unless told), workers (RPC
    endpoints) or devices (names of the engine's own), split (layers on each), ubatch, flash ("on" unless told),
    unified, overrides (pattern of tensors that stay on the CPU) and lora (paths of adapters, all at 1). With adapters
    "adapters" are the log's MiB per buffer.
    """
    answer = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


def _main() -> None:
    import llama_cpp.llama_cpp as engine

    log: list[str] = []

    @engine.llama_log_callback
    def keep(_level: int, text: bytes, _data: object) -> None:
        log.append(text.decode(errors="replace"))

    engine.llama_log_set(keep, None)
    engine.llama_backend_init()
    answers = [_answer(engine, question, log) for question in json.load(sys.stdin)]
    print(json.dumps(answers))


def _answer(engine: Any, question: dict[str, Any], log: list[str]) -> dict[str, Any]:
    log.clear()
    model_parameters = engine.llama_model_default_params()
    split = question.get("split", ())
    model_parameters.n_gpu_layers = sum(split)
    kept = _use_workers(engine, model_parameters, question.get("workers", ()), split)
    kept += _use_devices(engine, model_parameters, question.get("devices", ()), split)
    overrides = _keep_on_cpu(model_parameters, question.get("overrides", ()))
    model_parameters.load_mode = 0
    model_parameters.no_alloc = question["dry"]
    parameters = engine.llama_context_default_params()
    parameters.n_ctx = question["n_ctx"]
    parameters.n_batch, parameters.n_ubatch = 512, question.get("ubatch", 512)
    parameters.n_seq_max, parameters.n_outputs_max = question.get("sequences", 1), question.get("outputs", 1)
    parameters.swa_full = False
    parameters.kv_unified = question.get("unified", True)
    parameters.type_k, parameters.type_v = question["type_k"], question["type_v"]
    parameters.flash_attn_type = {"on": 1, "off": 0}[question.get("flash", "on")]
    model = engine.llama_model_load_from_file(question["path"].encode(), model_parameters)
    context = engine.llama_init_from_model(model, parameters) if model else None
    if not context:
        sys.exit("".join(log[-30:]))
    found: dict[str, Any] = {"layers": _layers(log)}
    if question.get("lora"):
        _use_adapters(engine, model, context, question["lora"])
        found["adapters"] = _adapter_buffers(log)
    rows = _breakdown(engine, context)
    engine.llama_free(context)
    engine.llama_model_free(model)
    del kept, overrides
    for name, *sizes in rows:
        device = "CPU" if name.startswith("CPU") or name.endswith("_Host") else name
        for kind, size in zip(("weights", "kv", "compute"), sizes, strict=True):
            found[f"{device} {kind}"] = found.get(f"{device} {kind}", 0) + size
    return found


def _layers(log: list[str]) -> list[str]:
    """The device of each layer, as the engine's log assigns it."""
    lines = "".join(log).splitlines()
    found = (re.search(r"load_tensors: layer\s+(\d+) assigned to device ([^,]+),", line) for line in lines)
    return [match[2] for match in sorted((match for match in found if match), key=lambda match: int(match[1]))]


def _library(name: str) -> Any:
    import llama_cpp

    folder = Path(llama_cpp.__file__).parent / "lib"
    return ctypes.CDLL(str(folder / f"lib{name}.so"))


def _use_workers(engine: Any, parameters: Any, workers: list[str], split: list[int]) -> tuple[Any, ...]:
    """Name the workers' devices and the split in the parameters; returns what has to stay alive for the load."""
    if not workers:
        return ()
    ggml, rpc = _library("ggml"), _library("ggml-rpc")
    rpc.ggml_backend_rpc_add_server.restype = ctypes.c_void_p
    ggml.ggml_backend_register.argtypes = [ctypes.c_void_p]
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype, ggml.ggml_backend_dev_get.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    for endpoint in (one for one in workers if one not in _registered):
        ggml.ggml_backend_register(rpc.ggml_backend_rpc_add_server(endpoint.encode()))
        _registered.append(endpoint)
    first = ggml.ggml_backend_dev_count() - len(_registered)
    found = [ggml.ggml_backend_dev_get(first + _registered.index(endpoint)) for endpoint in workers]
    return _name_devices(engine, parameters, found, split)


def _use_devices(engine: Any, parameters: Any, names: list[str], split: list[int]) -> tuple[Any, ...]:
    if not names:
        return ()
    registry = ctypes.CDLL(None, handle=engine._lib._handle)  # the one that libllama itself is linked to
    find = registry["ggml_backend_dev_by_name"]
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    return _name_devices(engine, parameters, [find(name.encode()) for name in names], split)


def _name_devices(engine: Any, parameters: Any, found: list[int], split: list[int]) -> tuple[Any, ...]:
    devices = (ctypes.c_void_p * (len(found) + 1))(*found, None)
    parts = (ctypes.c_float * engine.llama_max_devices())(*split)
    parameters.devices = ctypes.cast(devices, ctypes.c_void_p)
    parameters.tensor_split = parts
    return devices, parts


def _keep_on_cpu(parameters: Any, patterns: list[str]) -> Any:
    """Name the tensors that stay on the CPU; returns what has to stay alive for the load."""
    if not patterns:
        return None
    base = _library("ggml-base")
    base.ggml_backend_cpu_buffer_type.restype = ctypes.c_void_p
    rows = (ctypes.c_void_p * (2 * len(patterns) + 2))()  # {pattern, type of buffer}, ended by nulls
    texts = [ctypes.create_string_buffer(pattern.encode()) for pattern in patterns]
    for index, text in enumerate(texts):
        rows[2 * index], rows[2 * index + 1] = ctypes.addressof(text), base.ggml_backend_cpu_buffer_type()
    parameters.tensor_buft_overrides = ctypes.cast(rows, ctypes.c_void_p)
    return rows, texts


def _use_adapters(engine: Any, model: Any, context: Any, paths: list[str]) -> None:
    """Load adapters, and decode a token, for which the engine makes room for their products."""
    loaded = [engine.llama_adapter_lora_init(model, path.encode()) for path in paths]
    handles = (engine.llama_adapter_lora_p_ctypes * len(loaded))(*loaded)
    scales = (ctypes.c_float * len(loaded))(*(1.0 for _ in loaded))
    assert engine.llama_set_adapters_lora(context, handles, len(loaded), scales) == 0
    token = (ctypes.c_int * 1)(1)
    assert engine.llama_decode(context, engine.llama_batch_get_one(token, 1)) == 0


def _adapter_buffers(log: list[str]) -> dict[str, float]:
    """MiB of adapters per buffer, as the log tells them."""
    lines = "".join(log).splitlines()
    found: dict[str, float] = {}
    for match in filter(None, (re.search(r":\s+(\S+) LoRA buffer size =\s+([\d.]+) MiB", line) for line in lines)):
        found[match[1]] = found.get(match[1], 0.0) + float(match[2])
    return found


class _Head(ctypes.Structure):
    """The std::map that holds the rows."""

    _fields_ = (
        ("compare", ctypes.c_uint64),
        ("colour", ctypes.c_int),
        ("parent", ctypes.c_void_p),
        ("left", ctypes.c_void_p),
        ("right", ctypes.c_void_p),
        ("count", ctypes.c_size_t),
    )


class _Node(ctypes.Structure):
    """A row in it: bytes per kind of buffer."""

    _fields_ = (
        ("colour", ctypes.c_int),
        ("parent", ctypes.c_void_p),
        ("left", ctypes.c_void_p),
        ("right", ctypes.c_void_p),
        ("kind", ctypes.c_void_p),
        ("model", ctypes.c_size_t),
        ("context", ctypes.c_size_t),
        ("compute", ctypes.c_size_t),
    )


def _breakdown(engine: Any, context: Any) -> list[tuple[str, int, int, int]]:
    base = _library("ggml-base")
    base.ggml_backend_buft_name.restype = ctypes.c_char_p
    base.ggml_backend_buft_name.argtypes = [ctypes.c_void_p]

    function = engine._lib["_Z26llama_get_memory_breakdownPK13llama_context"]
    function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_void_p]
    head = _Head()
    function(ctypes.byref(head), context)
    rows: list[tuple[str, int, int, int]] = []

    def walk(address: int | None) -> None:
        if address:
            node = _Node.from_address(address)
            walk(node.left)
            name = base.ggml_backend_buft_name(node.kind).decode()
            rows.append((name, node.model, node.context, node.compute))
            walk(node.right)

    walk(head.parent)
    return rows


if __name__ == "__main__":
    # The folder of a script comes first on the path; nothing in it may hide a standard module.
    sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
    _main()
