"""The programs whose models are read in place."""

from desktop.library.stores.gpt4all import Gpt4All
from desktop.library.stores.huggingface import HuggingFace
from desktop.library.stores.jan import Jan
from desktop.library.stores.lm_studio import LmStudio
from desktop.library.stores.ollama import Ollama
from desktop.library.stores.place import Store

STORES: tuple[Store, ...] = (LmStudio(), Jan(), Gpt4All(), Ollama(), HuggingFace())
"""In the order in which a file that two of them have is listed."""
