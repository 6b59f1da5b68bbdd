"""Getting models: what the Hub found, the files of one repository, and a full library. Publishers are examples."""

from pathlib import PurePosixPath

import msgspec
from PySide6.QtCore import QCoreApplication

from desktop.catalog.hub_errors import HubAccessDenied, HubBusy, HubUnreachable
from desktop.catalog.search import HubRepo
from desktop.fit.types import Choice, Quality, QualityWord, Speed
from desktop.library.types import Condition, InstalledModel, Source
from desktop.ui.bridge import explain, sentences
from desktop.ui.pages.models.view import ModelsView
from tests.screenshots.machines import TWO_CARDS
from tests.screenshots.page_scenes import STARTER, advice_for, scroll_to, show_models

_FILES: tuple[tuple[str, float, float, QualityWord, int], ...] = (
    ("Q3_K_M", 13.4, 0.081, "acceptable", 0),
    ("IQ4_XS", 15.0, 0.025, "good", 0),
    ("Q4_K_M", 16.8, 0.021, "good", 0),
    ("Q5_K_M", 19.6, 0.009, "near-lossless", 7),
    ("Q6_K", 22.5, 0.004, "near-lossless", 19),
    ("Q8_0", 28.6, 0.001, "lossless in practice", 33),
)
"""Quantization, GB, loss, and layers that stay on the processor."""
_PUBLISHERS = ("example-lab", "quantizers-of-the-world", "someone")


def hub_results(view: ModelsView) -> None:
    """A search of which most rows have their verdict; one is on this computer, one on its way, one is not to be had."""
    show_models(view, TWO_CARDS)
    choices = _choices()
    repos = [_repo(index, choice) for index, choice in enumerate(choices)]
    view.hub.set_searched("qwen")
    view.show_hub(True)
    view.hub.set_repos(repos, more=True)
    for index, (repo, choice) in enumerate(zip(repos[:5], choices, strict=False)):
        judged = msgspec.structs.replace(choice, exact=True, installed=index == 1)
        if index != 1:
            judged = msgspec.structs.replace(judged, model_id=repo.repo, model_name=repo.name)
        view.hub.set_verdict(repo.repo, judged)
    refused = HubAccessDenied(what=repos[5].repo, page=f"https://huggingface.co/{repos[5].repo}")
    view.hub.set_verdict(repos[5].repo, None, *explain(refused))
    view.set_coming({(choices[2].repo, choices[2].file): "42 %"})
    scroll_to(view, view.hub)


def hub_files(view: ModelsView) -> None:
    """All files of a repository."""
    view.hub.set_files(_show_files(view))
    scroll_to(view, view.hub)


def hub_files_left(view: ModelsView) -> None:
    """All files of a repository, of which some could not be judged."""
    view.hub.set_files_left(
        _show_files(view)[:3], "3 files could not be checked.", sentences(explain(HubBusy(seconds=40)))
    )
    scroll_to(view, view.hub)


def _show_files(view: ModelsView) -> list[Choice]:
    """One model in files of several sizes."""
    show_models(view, TWO_CARDS)
    best = _choices()[0]
    view.hub.set_searched("qwen")
    view.show_hub(True)
    view.hub.show_files(_repo(0, best))
    return [_file(best, *figures) for figures in _FILES]


def _file(best: Choice, quantization: str, size: float, kld: float, word: QualityWord, on_cpu: int) -> Choice:
    """Another file of the same model, with the figures that follow from its size (GB)."""
    share = size * 1e9 / best.download_size
    memory = [msgspec.structs.replace(part, weights=round(part.weights * share)) for part in best.memory]
    name = best.file.replace(best.quantization, quantization)
    slower = share * (1 + on_cpu / 4)
    return msgspec.structs.replace(
        best,
        quantization=quantization,
        file=name,
        model_name=PurePosixPath(name).stem,
        download_size=round(size * 1e9),
        size_is_estimate=False,
        exact=True,
        memory=tuple(memory),
        verdict="partial" if on_cpu else "fits",
        n_gpu_layers=best.n_layer + 1 - on_cpu,
        speed=Speed(decode_low=best.speed.decode_low / slower, decode_high=best.speed.decode_high / slower),
        quality=Quality(kld=kld, word=word),
    )


def hub_fails(view: ModelsView) -> None:
    """The Hub cannot be asked."""
    show_models(view, TWO_CARDS)
    view.hub.set_searched("qwen 3")
    view.show_hub(True)
    view.hub.set_failed(*explain(HubUnreachable(endpoint="https://huggingface.co", reason="no route to host")))
    scroll_to(view, view.hub)


def library(view: ModelsView) -> None:
    """Models of other programs, and everything that may be wrong with a file; one is being checked."""
    show_models(view, TWO_CARDS)
    states: tuple[tuple[Source, Condition], ...] = (
        ("snug", "ready"),
        ("lm-studio", "gone"),
        ("ollama", "ready"),
        ("huggingface", "changed"),
        ("snug", "truncated"),
        ("folder", "damaged"),
    )
    models = [_installed(choice, *state) for choice, state in zip(_choices(), states, strict=False)]
    view.set_installed([STARTER, *models], STARTER.id)
    view.installed.set_progress(
        models[0].id, QCoreApplication.translate("LibraryController", "Checking … {share} %").format(share=42)
    )


def _choices() -> list[Choice]:
    advice = advice_for(TWO_CARDS)
    return [*advice.choices[:4], *advice.rejected[:3]]


def _repo(index: int, choice: Choice) -> HubRepo:
    publisher = _PUBLISHERS[index % len(_PUBLISHERS)]
    name = f"{choice.model_name.replace(' ', '-')}-GGUF"
    return HubRepo(
        repo=f"{publisher}/{name}",
        publisher=publisher,
        name=name,
        likes=12 * (index + 1),
        downloads=34_000 // (index + 1),
        updated=1_760_000_000 + index * 864_000,
        gated="manual" if index == 5 else "",
        licence=choice.licence.lower(),
    )


def _installed(choice: Choice, source: Source, condition: Condition) -> InstalledModel:
    return InstalledModel(
        id=f"{choice.model_id}:{choice.quantization}:{source}",
        model_id=choice.model_id,
        name=choice.model_name,
        quantization=choice.quantization,
        path=f"/home/ann/models/{choice.file}",
        repo=choice.repo,
        file=choice.file,
        condition=condition,
        size=choice.download_size,
        licence=choice.licence,
        source=source,
    )
