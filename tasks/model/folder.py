"""What a version's folder holds: the only place that writes a name of its files. Read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.digest import read_json, write_json


@dataclass(frozen=True)
class Folder:
    """The files of one version. The adapter is there where the task reads text, the classical part where it has one."""

    path: Path

    @property
    def adapter(self) -> Path:
        """LoRA's weights, as PEFT names them."""
        return self.path / "adapter_model.safetensors"

    @property
    def adapter_config(self) -> Path:
        """What PEFT reads back of the adapter."""
        return self.path / "adapter_config.json"

    @property
    def head(self) -> Path:
        """The weights of the task's net."""
        return self.path / "head.safetensors"

    @property
    def head_config(self) -> Path:
        """Shapes, frame, backbone and LoRA section of the net."""
        return self.path / "head.json"

    @property
    def classical(self) -> Path:
        """Name and fitted state of the classical part."""
        return self.path / "classical.json"

    @property
    def training(self) -> Path:
        """Every trial and its losses."""
        return self.path / "training.json"

    @property
    def recipe(self) -> Path:
        """The recipe that it was made by, without places."""
        return self.path / "recipe.json"

    @property
    def data(self) -> Path:
        """The card of its rows."""
        return self.path / "data.json"

    @property
    def seen(self) -> Path:
        """Short digests of the rows that it learned from, or was chosen by."""
        return self.path / "seen.json"

    @property
    def tested(self) -> Path:
        """Short digests of the test rows, on which its report stands."""
        return self.path / "tested.json"

    @property
    def calibration(self) -> Path:
        """What it knows about its own errors."""
        return self.path / "calibration.json"

    @property
    def reasons(self) -> Path:
        """Its list of reasons, and what they are drawn from; there where the task has a list."""
        return self.path / "reasons.json"

    @property
    def metrics(self) -> Path:
        """The row of the verdict: a Judgement."""
        return self.path / "metrics.json"

    @property
    def privacy(self) -> Path:
        """What it spent of its privacy budget, and what lies outside; there where the recipe sets an epsilon."""
        return self.path / "privacy.json"

    @property
    def has_text(self) -> bool:
        """Whether an adapter on a backbone belongs to it."""
        return self.adapter_config.is_file()

    def read(self, file: Path) -> dict[str, Any]:
        """One of its JSON documents. Raises ValueError where it is absent or is no JSON object."""
        document = read_json(file)
        if not isinstance(document, dict):
            raise ValueError(  # noqa: TRY004  (what a user can cause is a ValueError)
                f"{file.name} in {self.path.name!r} is no JSON object; take the file from the registry again"
            )
        return document

    def backbone(self) -> dict[str, str] | None:
        """Name and digests of the body that it was trained on; None where no row holds text."""
        found: dict[str, str] | None = self.read(self.head_config).get("backbone")
        return found

    def write(self, file: Path, document: Any) -> None:
        """Write one of its JSON documents, moved into place as a whole."""
        partial = file.with_name(f".{file.name}.partial")
        write_json(partial, document)
        partial.replace(file)
