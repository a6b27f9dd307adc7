"""What the libraries below read from the environment: every home under ASSAY_HOME, and nothing phones out."""

from __future__ import annotations

import os
from pathlib import Path

from infra.settings import Settings


def variables(settings: Settings) -> dict[str, str]:
    """The environment of every process that Assay starts. What a user has set already is left as it is."""
    home = settings.root
    return {
        "ASSAY_HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the UI holds the log; the command says one sentence
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "DO_NOT_TRACK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "MPLCONFIGDIR": str(home / "cache" / "matplotlib"),
        "HF_HOME": str(home / "cache" / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(home / "cache" / "inductor"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }


def apply(settings: Settings) -> None:
    """Set the variables in this process and make the home, readable by its owner alone."""
    os.umask(0o077)
    settings.root.mkdir(parents=True, exist_ok=True)
    for key, value in variables(settings).items():
        os.environ.setdefault(key, value)
    os.environ["ASSAY_HOME"] = str(settings.root)
    if settings.tasks is not None:
        os.environ["ASSAY_TASKS"] = str(settings.tasks.expanduser().resolve())
    for key in ("MPLCONFIGDIR", "HF_HOME"):
        Path(os.environ[key]).mkdir(parents=True, exist_ok=True)
