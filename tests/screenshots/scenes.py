"""What is photographed. To add a page or a state, add a line to SCENES."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.screenshots import chat_scenes, get_models_scenes, page_scenes, trouble_scenes

USUAL = (1280, 820)
SMALLEST = (900, 600)


class Scene(NamedTuple):
    """`fill` brings the page's view into its state; it runs after the view is shown, in the language in force."""

    name: str
    page: str
    fill: Callable[[Any], None]
    size: tuple[int, int] = USUAL


SCENES: tuple[Scene, ...] = (
    Scene("chat", "chat", chat_scenes.conversation),
    Scene("chat-empty", "chat", chat_scenes.empty),
    Scene("chat-interrupted", "chat", chat_scenes.interrupted),
    Scene("chat-long", "chat", chat_scenes.long_text),
    Scene("chat-small", "chat", chat_scenes.conversation, SMALLEST),
    Scene("chat-two-cards", "chat", chat_scenes.two_cards),
    Scene("models", "models", page_scenes.models_two_cards),
    Scene("models-laptop", "models", page_scenes.models_no_card),
    Scene("models-downloading", "models", page_scenes.models_downloading),
    Scene("models-downloading-small", "models", page_scenes.models_downloading, SMALLEST),
    Scene("models-exact", "models", page_scenes.models_exact),
    Scene("models-failed", "models", page_scenes.models_failed),
    Scene("models-small", "models", page_scenes.models_two_cards, SMALLEST),
    Scene("models-hub", "models", get_models_scenes.hub_results),
    Scene("models-hub-small", "models", get_models_scenes.hub_results, SMALLEST),
    Scene("models-hub-files", "models", get_models_scenes.hub_files),
    Scene("models-hub-files-left", "models", get_models_scenes.hub_files_left, SMALLEST),
    Scene("models-hub-fails", "models", get_models_scenes.hub_fails),
    Scene("models-library", "models", get_models_scenes.library),
    Scene("models-library-small", "models", get_models_scenes.library, SMALLEST),
    Scene("hardware", "hardware", page_scenes.hardware_two_cards),
    Scene("hardware-laptop", "hardware", page_scenes.hardware_no_card),
    Scene("hardware-small", "hardware", page_scenes.hardware_two_cards, SMALLEST),
    Scene("hardware-moved", "hardware", page_scenes.hardware_moved),
    Scene("hardware-moved-small", "hardware", page_scenes.hardware_moved, SMALLEST),
    Scene("hardware-exact", "hardware", page_scenes.hardware_exact),
    Scene("hardware-planner", "hardware", page_scenes.hardware_planner),
    Scene("hardware-planner-small", "hardware", page_scenes.hardware_planner, SMALLEST),
    Scene("hardware-planner-laptop", "hardware", page_scenes.hardware_planner_laptop),
    Scene("hardware-waiting", "hardware", page_scenes.hardware_waiting),
    Scene("models-engine-missing", "models", trouble_scenes.models_engine_missing),
    Scene("models-hub-unreachable", "models", trouble_scenes.models_hub_unreachable),
    Scene("models-damaged-header", "models", trouble_scenes.models_damaged_header),
    Scene("models-nothing-fits", "models", trouble_scenes.models_nothing_fits),
    Scene("hardware-engine-missing", "hardware", trouble_scenes.hardware_engine_missing),
    Scene("hardware-problems", "hardware", trouble_scenes.hardware_problems),
    Scene("hardware-failed", "hardware", trouble_scenes.hardware_failed),
    Scene("hardware-unmeasured", "hardware", trouble_scenes.hardware_unmeasured),
    Scene("hardware-measuring", "hardware", trouble_scenes.hardware_measuring),
    Scene("hardware-measure-waits", "hardware", trouble_scenes.hardware_measure_waits),
    Scene("hardware-measure-failed", "hardware", trouble_scenes.hardware_measure_failed),
    Scene("hardware-partly-measured", "hardware", trouble_scenes.hardware_partly_measured),
    Scene("models-engine-missing-small", "models", trouble_scenes.models_engine_missing, SMALLEST),
    Scene("models-hub-unreachable-small", "models", trouble_scenes.models_hub_unreachable, SMALLEST),
    Scene("models-nothing-fits-small", "models", trouble_scenes.models_nothing_fits, SMALLEST),
    Scene("hardware-engine-missing-small", "hardware", trouble_scenes.hardware_engine_missing, SMALLEST),
    Scene("hardware-problems-small", "hardware", trouble_scenes.hardware_problems, SMALLEST),
    Scene("hardware-checks-small", "hardware", trouble_scenes.hardware_checks, SMALLEST),
    Scene("hardware-partly-measured-small", "hardware", trouble_scenes.hardware_partly_measured, SMALLEST),
    Scene("hardware-measure-failed-small", "hardware", trouble_scenes.hardware_measure_failed, SMALLEST),
    Scene("welcome", "welcome", page_scenes.welcome_found),
    Scene("settings", "settings", page_scenes.settings),
    Scene("settings-token", "settings", page_scenes.settings_token),
    Scene("settings-token-kept", "settings", page_scenes.settings_token_kept, SMALLEST),
    Scene("settings-token-fails", "settings", page_scenes.settings_token_fails, SMALLEST),
)
