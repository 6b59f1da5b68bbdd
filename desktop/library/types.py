"""Values of the library: what is installed on this disk."""

from pathlib import Path
from typing import Literal

import msgspec

from desktop.gguf.shards import parse_shard_name

Source = Literal["snug", "folder", "lm-studio", "jan", "gpt4all", "ollama", "huggingface"]
"""Whose a file is: ours (set-up, download, models folder), the person's own folder, or another program's."""

Condition = Literal["ready", "gone", "folder", "changed", "truncated", "damaged"]
"""What is known of a file without reading it: usable; not there; a folder lies in its place; another size or time
than when it was looked at last; shorter than its tensors need or than it was; its header contradicts itself."""


class InstalledModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model on this disk: a file, or all shards of a split one.

    id: how a person names it, `model_id:QUANTIZATION`, or the path of a file that is not in the library.
    model_id: the catalog's id, or owner/repo on the Hub; "" for a plain path.
    quantization: as files name it, for example "Q4_K_M"; "" when it is not known.
    path: the GGUF; of a split file the first shard.
    size: bytes of all shards.
    added: when it was installed, seconds since 1970; 0 for what came with the set-up or was named by path.
    bundled: came with the set-up, so it is not ours to remove.
    licence: SPDX name where it is known.
    sha256: of the file, or of the first shard, as the Hub or a store names it; hexadecimal, "" when nobody does.
    repo, file, revision: where it came from on the Hub, "" when it did not.
    source: whose the file is. Only what is "snug" and not bundled is ours to remove.
    condition: what is known of its file. absent: of a model that is `gone`, the first of its files that is not there.
    architecture: as the header says, "" when nobody looked. context: tokens it was trained for, 0 likewise.
    """

    id: str
    model_id: str
    name: str
    quantization: str
    path: str
    size: int
    added: float = 0.0
    bundled: bool = False
    licence: str = ""
    sha256: str = ""
    repo: str = ""
    file: str = ""
    revision: str = ""
    source: Source = "snug"
    condition: Condition = "ready"
    absent: str = ""
    architecture: str = ""
    context: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether it can be loaded: what counts as installed wherever something could be downloaded instead."""
        return self.condition == "ready"

    @property
    def missing(self) -> bool:
        """Whether the library knows it, but its file is not there."""
        return self.condition in ("gone", "folder")

    @property
    def ours_to_remove(self) -> bool:
        """Whether removing it moves its files to the trash; of anything else only the entry is forgotten."""
        return self.source == "snug" and not self.bundled

    @property
    def is_split(self) -> bool:
        """Whether it lies in several files."""
        return parse_shard_name(Path(self.path).name) is not None

    @property
    def is_from_hub(self) -> bool:
        """Whether it is known which file of the Hub it is, so that it can be fetched again."""
        return bool(self.model_id and self.repo and self.file)

    @property
    def sampling_id(self) -> str:
        """What the person's own samplers are kept under: the model in every quantization; a plain file's path."""
        return self.model_id or self.id


class WantedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is not on this disk yet, and where it comes from: one of the catalog, or any other of the Hub.

    model_id: the catalog's id, or owner/repo for a Hub name.
    file: path in the repository, of a split file the first shard; "" until the Hub was asked which file carries
        `quantization`.
    revision: branch or commit to ask for. size: bytes of all shards, None while it is not known.
    sha256: of `file` at that commit, "" while it is not known.
    """

    model_id: str
    name: str
    quantization: str
    repo: str
    file: str = ""
    revision: str = "main"
    size: int | None = None
    licence: str = ""
    sha256: str = ""

    @property
    def id(self) -> str:
        """What it is called once it is installed."""
        return catalog_key(self.model_id, self.quantization)


def catalog_key(model_id: str, quantization: str) -> str:
    """Return the id of an installed model."""
    return f"{model_id}:{quantization}" if quantization else model_id
