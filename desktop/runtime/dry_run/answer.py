"""One dry run: the engine plans a model as for a load, without its weights, and its log tells what it would need."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import llama_cpp.llama_cpp as llama
import msgspec

from desktop.engine.protocol import (
    CacheSize,
    DeviceMemory,
    EngineFailure,
    FailureKind,
    FitAnswer,
    FitQuestion,
    LoadPlan,
)
from desktop.runtime.devices.backends import Ggml, list_devices
from desktop.runtime.devices.rpc import register_workers, rpc_buffer_names
from desktop.runtime.dry_run.heap import keep_what_is_freed
from desktop.runtime.dry_run.imagined import ImaginedDevices, is_padded
from desktop.runtime.dry_run.norms import norms_are_assigned, norms_at_home
from desktop.runtime.dry_run.projector import projector_compute
from desktop.runtime.dry_run.stubs import stub_for
from desktop.runtime.engine_log import MIB, EngineLog, assigned_layers, buffer_sizes
from desktop.runtime.failures import EngineError
from desktop.runtime.loading.draft import draft_plan
from desktop.runtime.loading.parameters import (
    ModelParameters,
    context_parameters,
    embedding_parameters,
    find_device,
)
from desktop.runtime.loading.plan_checks import check_file, check_plan
from desktop.runtime.loading.weights import create_context, load_weights

# As "llama_kv_cache: layer   0: dev = CUDA0", and "llama_memory_recurrent, layer ..." of recurrent states.
_CACHE_LAYER = re.compile(r"^(?P<cache>llama_\w+)[:,]\s+layer\s+\d+: dev = (?P<device>.+)$")
# As "llama_kv_cache: size =   90.00 MiB (  1024 cells,  30 layers, ...", at the end of each cache.
_CACHE_SIZE = re.compile(r"^(?P<cache>llama_\w+): size =\s+(?P<size>[\d.]+) MiB")


class DryRunner:
    """Answers questions, one after the other."""

    def __init__(self, ggml: Ggml, log: EngineLog) -> None:
        self._ggml, self._log = ggml, log
        self._imagined: ImaginedDevices | None = None
        self._padded: dict[tuple[str, int, int, int], bool] = {}
        self._engine = llama.llama_version().decode()
        keep_what_is_freed()

    def answer(self, question: FitQuestion) -> FitAnswer:
        """Ask the engine; what it refuses is an answer too."""
        started = time.monotonic()
        try:
            answer = self._run(question)
        except EngineError as error:
            answer = self._failed(question, error.failure)
        except OSError as error:
            answer = self._failed(question, EngineFailure(kind=FailureKind.LOAD_FAILED, detail=str(error)[:1000]))
        return msgspec.structs.replace(answer, seconds=time.monotonic() - started)

    def _failed(self, question: FitQuestion, failure: EngineFailure) -> FitAnswer:
        return FitAnswer(question_id=question.question_id, engine=self._engine, failure=failure)

    def _run(self, question: FitQuestion) -> FitAnswer:
        plan = question.plan
        register_workers(self._ggml, plan.rpc_endpoints)
        imagined = self._find(question)
        answer = self._plan_model(question.question_id, plan, imagined)
        if plan.draft_path:
            header = check_file(plan.draft_path)
            with stub_for(plan.draft_path, header) as path:
                small = draft_plan(msgspec.structs.replace(plan, draft_path=path), header.n_layer)
                draft = self._plan_model(question.question_id, small, imagined)
            answer = msgspec.structs.replace(answer, draft=draft)
        if plan.mmproj_path:
            self._devices().pad_tensors(needed=True)
            projector = projector_compute(plan, stand_in=self._devices().stand_in(), log=self._log)
            answer = msgspec.structs.replace(answer, projector=projector)
        return answer

    def _plan_model(self, question_id: int, plan: LoadPlan, imagined: Mapping[str, int]) -> FitAnswer:
        padded = self._check_file(plan.model_path)
        check_plan(plan)
        parameters = ModelParameters(plan, self._ggml, imagined=imagined)
        # Anything but LLAMA_LOAD_MODE_NONE aborts the process where nothing is allocated.
        parameters.native.no_alloc, parameters.native.load_mode = True, 0
        mark = self._log.mark()
        model = load_weights(plan.model_path, parameters, log=self._log, on_progress=lambda _fraction: True)
        try:
            layers = assigned_layers(self._log.since(mark))
            if not layers:
                raise EngineError(FailureKind.INTERNAL, "the engine's log does not tell where the layers went")
            handles = {name: imagined.get(name) or find_device(self._ggml, name) for name in plan.devices}
            if imagined:
                brought = padded and not is_whole(plan, layers)
                self._devices().pad_tensors(needed=brought or {plan.type_k, plan.type_v} != {"f16"})
            steps = [self._plan_step(model, one, layers, handles) for one in _steps(plan, layers)]
        finally:
            llama.llama_model_free(model)
        return FitAnswer(
            question_id=question_id,
            engine=self._engine,
            layers=layers,
            caches=steps[0].caches,
            compute=_largest([step.compute for step in steps]),
            n_ctx=steps[0].n_ctx,
        )

    def _plan_step(self, model: Any, plan: LoadPlan, layers: tuple[str, ...], handles: Mapping[str, int]) -> "_Step":
        mark = self._log.mark()
        borders = layers if norms_are_assigned(plan, layers) else ()
        with norms_at_home(self._ggml, handles, borders):
            native = embedding_parameters(plan, n_ubatch=plan.n_ubatch) if plan.purpose != "chat" else None
            context = create_context(model, native or context_parameters(plan), log=self._log, path=plan.model_path)
        n_ctx = int(llama.llama_n_ctx(context))
        llama.llama_free(context)
        lines = self._log.since(mark)
        aliases = rpc_buffer_names(list_devices(self._ggml)) if plan.rpc_endpoints else {}
        # Of what was not allocated the log states 0; compute buffers are measured all the same.
        return _Step(read_caches(lines), buffer_sizes(lines, aliases), n_ctx)

    def _check_file(self, path: str) -> bool:
        """Check it once for each state of the file: of a stub it takes longer than the engine does.

        Returns whether a card pads some of its weights.
        """
        if (state := _state_of(path)) not in self._padded:
            self._padded[state] = any(map(is_padded, check_file(path).tensors))
        return self._padded[state]

    def _find(self, question: FitQuestion) -> Mapping[str, int]:
        return self._devices().find(question.imagined) if question.imagined else {}

    def _devices(self) -> ImaginedDevices:
        if self._imagined is None:
            self._imagined = ImaginedDevices(self._ggml)
        return self._imagined


class _Step(NamedTuple):
    """What the log tells of one context."""

    caches: tuple[CacheSize, ...]
    compute: tuple[DeviceMemory, ...]
    n_ctx: int


def _state_of(path: str) -> tuple[str, int, int, int]:
    status = Path(path).stat() if Path(path).exists() else None
    return (path, status.st_ino, status.st_size, status.st_mtime_ns) if status else (path, 0, 0, 0)


def is_whole(plan: LoadPlan, layers: Sequence[str]) -> bool:
    """Whether no weights of a layer have to be brought to a card while it computes."""
    return not plan.devices or (plan.n_gpu_layers >= len(layers) and not plan.tensor_overrides)


def _steps(plan: LoadPlan, layers: Sequence[str]) -> list[LoadPlan]:
    """The steps whose compute buffers a load measures: the largest of a prompt, then one token of each sequence.

    Where nothing is allocated, libllama measures the first only (llama_context::sched_reserve). The other one may need
    more on a device where layers stay on the CPU: few tokens are computed there, of many the card takes over.
    """
    if is_whole(plan, layers) or plan.purpose != "chat" or plan.n_seq_max >= min(plan.n_ubatch, plan.n_ctx):
        return [plan]
    return [plan, msgspec.structs.replace(plan, n_ubatch=plan.n_seq_max)]


def _largest(steps: Iterable[tuple[DeviceMemory, ...]]) -> tuple[DeviceMemory, ...]:
    """Of each device what its largest step takes: a buffer that grew for one is there for the other."""
    most: dict[str, DeviceMemory] = {}
    for part in (part for step in steps for part in step):
        if part.device not in most or part.compute > most[part.device].compute:
            most[part.device] = part
    return tuple(most.values())


def read_caches(lines: Iterable[str]) -> tuple[CacheSize, ...]:
    """The engine's caches, as its log tells of them: the devices of the layers, then the size of all."""
    caches: list[CacheSize] = []
    devices: dict[str, list[str]] = {}
    for line in lines:
        if match := _CACHE_LAYER.search(line):
            devices.setdefault(match["cache"], []).append(match["device"].strip())
        elif match := _CACHE_SIZE.search(line):
            layers = tuple(devices.pop(match["cache"], ()))
            caches.append(CacheSize(size=round(float(match["size"]) * MIB), layers=layers))
    return tuple(caches)
