"""The processor's instruction sets: what it has, and what the engine was built to use."""

from desktop.doctor.check import Check, Question, listed
from desktop.doctor.engine_build import instruction_sets
from desktop.engine.protocol import EngineInfo
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import Cpu, HardwareProfile

_X86_WANTED = ("avx2", "fma", "f16c")
_ARM_WANTED = ("dotprod", "i8mm")
_ARM = frozenset({"neon", "sve", *_ARM_WANTED})

_SHOWN = {"avx2": "AVX2", "fma": "FMA", "f16c": "F16C", "neon": "NEON", "dotprod": "dotprod", "i8mm": "i8mm"}

_OF_THE_ENGINE = {
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx512f": "AVX512",
    "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16",
    "avx_vnni": "AVX_VNNI",
    "amx": "AMX_INT8",
    "neon": "NEON",
    "dotprod": "DOTPROD",
    "i8mm": "MATMUL_INT8",
    "sve": "SVE",
}
"""Our name -> the engine's (ggml-cpu.cpp, ggml_backend_cpu_get_features)."""

_MATTERS = (*_X86_WANTED, *_ARM_WANTED)
"""Without these an engine is much slower; the others (AVX-512 and such) help with long prompts only."""


_CPU = Question(
    id="cpu",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Processor")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "AVX2, FMA and F16C, or NEON on ARM")),
)


def check_cpu(profile: HardwareProfile) -> Check:
    """AVX2, without which x86 processors are several times slower; NEON on ARM, where newer ones add to it."""
    cpu = profile.cpu
    if not cpu.features:
        return _CPU.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "{name} does not tell"), name=cpu.name))
    if _ARM & set(cpu.features):
        return _CPU.answered("pass", _described(cpu, ("neon", *_ARM_WANTED)))
    if "avx2" not in cpu.features:
        remedy = Phrase.of(
            QT_TRANSLATE_NOOP("core", "Build the engine on this machine (make run does), and choose small models.")
        )
        return _CPU.answered("warn", Phrase.of(QT_TRANSLATE_NOOP("core", "{name} has no AVX2"), name=cpu.name), remedy)
    hidden = [name for name in _X86_WANTED if name not in cpu.features]
    # Windows does not tell of FMA and F16C; every processor with AVX2 that it runs on has them.
    if hidden and profile.system.startswith("Linux"):
        what = QT_TRANSLATE_NOOP("core", "{name} has AVX2, but {missing} are hidden from this system")
        remedy = Phrase.of(
            QT_TRANSLATE_NOOP("core", 'Let the virtual machine see the whole processor (its CPU type: "host").')
        )
        missing = listed(_SHOWN[name] for name in hidden)
        return _CPU.answered("warn", Phrase.of(what, name=cpu.name, missing=missing), remedy)
    return _CPU.answered("pass", _described(cpu, _X86_WANTED))


def _described(cpu: Cpu, interesting: tuple[str, ...]) -> Phrase:
    sets = listed(_SHOWN[name] for name in interesting if name in cpu.features)
    return Phrase.of(
        QT_TRANSLATE_NOOP("core", "{name}, {cores} cores, {sets}"), name=cpu.name, cores=cpu.cores, sets=sets
    )


_BUILD = Question(
    id="cpu-build",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Engine build")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "the instruction sets of this processor")),
)


def check_cpu_build(profile: HardwareProfile, engine: EngineInfo | None) -> Check:
    """Whether the engine uses what the processor has: one built elsewhere may not."""
    used = instruction_sets(engine.system_info) if engine is not None else frozenset()
    if not used or not profile.cpu.features:
        return _BUILD.answered(
            "skip", Phrase.of(QT_TRANSLATE_NOOP("core", "the engine or the processor does not tell"))
        )
    left = [name for name in profile.cpu.features if name in _OF_THE_ENGINE and _OF_THE_ENGINE[name] not in used]
    missed = listed(_SHOWN[name] for name in left if name in _MATTERS)
    if missed:
        what = QT_TRANSLATE_NOOP("core", "it does not use {missed} of this processor")
        remedy = Phrase.of(
            QT_TRANSLATE_NOOP("core", "Build the engine on this machine (make run does): answers come faster.")
        )
        return _BUILD.answered("warn", Phrase.of(what, missed=missed), remedy)
    if left:
        what = QT_TRANSLATE_NOOP("core", "uses all that matters; of {unused} only long prompts would profit")
        return _BUILD.answered("pass", Phrase.of(what, unused=listed(_OF_THE_ENGINE[name] for name in left)))
    return _BUILD.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "uses everything the processor has")))
