"""What the bot of the page's tests registers, posts and opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sandbox.discord.support import Json

HOSTILE = (
    "<img src=x onerror=alert(1)> <script>alert(2)</script> [go](javascript:alert(3)) "
    "<javascript:alert(4)> **bold** \\*plain\\* ||hidden|| `<b>` https://example.com/a?b=1."
)
COMMAND: Json = {
    "name": "imagine",
    "description": "Make a picture from words",
    "integration_types": [0, 1],
    "options": [
        {"type": 3, "name": "prompt", "description": "What to draw", "required": True, "max_length": 40},
        {
            "type": 3,
            "name": "shape",
            "description": "Its shape",
            "choices": [{"name": "square", "value": "1:1"}, {"name": "wide", "value": "16:9"}],
        },
        {"type": 4, "name": "seed", "description": "A number", "min_value": 1, "max_value": 9},
        {"type": 11, "name": "source", "description": "A picture"},
    ],
}
MENU: Json = {"name": "Edit image", "type": 3, "integration_types": [0, 1]}
BUTTON: Json = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Edit", "custom_id": "edit"}]}
MODAL: Json = {
    "title": "Edit image",
    "custom_id": "change",
    "components": [
        {
            "type": 18,
            "label": "What should change?",
            "component": {"type": 4, "custom_id": "what", "style": 2, "min_length": 3, "max_length": 20},
        },
        {
            "type": 18,
            "label": "Shape",
            "component": {
                "type": 3,
                "custom_id": "shape",
                "options": [{"label": "Square", "value": "1"}, {"label": "Wide", "value": "2"}],
            },
        },
    ],
}
