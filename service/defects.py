"""What is told of an error that nobody foresaw: its kind and its place, never its text.

The text of such an error may quote whatever was at hand: an item, a token, a file.
"""

from __future__ import annotations

import sys
import threading
import traceback
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_OURS = (_ROOT / "service", _ROOT / "api")


def told(error: BaseException) -> str:
    """`ValueError at service/configuration/settings.py:12`: the innermost place of our own code that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [(Path(frame.filename), frame.lineno) for frame in frames]
    own = [(path.relative_to(_ROOT), line) for path, line in places if any(map(path.is_relative_to, _OURS))]
    kind = type(error).__name__
    if own:
        return f"{kind} at {own[-1][0]}:{own[-1][1]}"
    return f"{kind} at {places[-1][0].name}:{places[-1][1]}" if places else kind


def hide_texts() -> None:
    """From now on this process says as little of errors that nobody can catch: in a thread, in a clean-up."""
    sys.unraisablehook = lambda lost: _say(lost.exc_value)
    threading.excepthook = lambda lost: _say(lost.exc_value)
    sys.excepthook = lambda kind, error, trace: _say(error)


def _say(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        print(f"dynamirror: an unexpected error, which is a defect: {told(error)}", file=sys.stderr)
