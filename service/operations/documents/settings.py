"""The settings in effect, and where each comes from, as a document without secrets."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr

from service.configuration.hosts import without_user
from service.configuration.settings import Settings
from service.operations.documents.status import Document


class Setting(Document):
    name: str = Field(
        description="As in a file; in the environment it is DYNAMIRROR_ and the name in capitals.", examples=["writers"]
    )
    value: Any = Field(description="As it is in effect; of a secret only whether it is set.", examples=[16])
    origin: str = Field(examples=["default", "the environment", ".env", "[defaults] of fleet.toml"])


class EffectiveSettings(Document):
    """Every setting of one pipeline and of its process."""

    items: list[Setting]

    @classmethod
    def of(cls, settings: Settings) -> EffectiveSettings:
        values = settings.model_dump(mode="python")
        return cls(
            items=[
                Setting(name=name, value=_shown(values[name]), origin=settings.origins.get(name, "default"))
                for name in values
            ]
        )


def _shown(value: object) -> object:
    if isinstance(value, SecretStr):
        return "set"
    return without_user(value) if isinstance(value, str) else value
