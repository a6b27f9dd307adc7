"""What KubeRay's RayService starts by itself: the same replicas, named in infra/rayservice.yaml by their import path.

There no `./assay serve` deploys: Serve's controller builds the application from the registry, and HAProxy reads the
rules that `python -m serving.rayservice FOLDER` laid down before. This was never run on a Kubernetes cluster.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.settings import Settings, token
from serving import gateway, release
from serving.section import RELEASE, ServeSection


def endpoints(given: Mapping[str, Any]) -> Any:
    """The application of the champions; `given` as the recipe's [serve] writes it. Raises what `release.deploy` does.

    Its trial of challengers is the default of [release].
    """
    section, settings = ServeSection(**given), Settings()
    token(settings)
    return release.endpoints(section, release.planned(settings, section, RELEASE))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    gateway.write(folder, probed=True)
