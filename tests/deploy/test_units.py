"""Units of systemd and manifests of Kubernetes: accepted by their own tools, and nothing runs with rights."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.progress_site.test_proxies import names_in_the_example
from tests.servers import ROOT

SYSTEMD, KUBERNETES, TRAEFIK = (ROOT / "deploy" / name for name in ("systemd", "kubernetes", "traefik"))
SERVICES = sorted(SYSTEMD.glob("*.service"))
PROGRAM = re.compile(r"/srv/progress/(?:\.venv/bin/\w+|deploy/backup\.sh)")
RESOURCES = [
    each
    for file in sorted(KUBERNETES.glob("*.yaml"))
    if file.name != "kustomization.yaml"
    for each in yaml.safe_load_all(file.read_text())
]
PODS = {
    each["metadata"]["name"]: each["spec"]["template"]["spec"]
    for each in RESOURCES
    if "template" in each.get("spec", {})
}


@pytest.mark.parametrize("unit", [*SERVICES, *SYSTEMD.glob("*.timer")], ids=lambda unit: unit.name)
def test_systemd_accepts_each_unit(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze")
    for each in SYSTEMD.iterdir():  # the programs of the units are not on this machine
        (tmp_path / each.name).write_text(PROGRAM.sub("/bin/true", each.read_text()))
    name = tmp_path / unit.name.replace("@.", "@8000.")
    if name.name != unit.name:
        (tmp_path / unit.name).rename(name)
    command = [analyze, "verify", "--man=no", str(name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "progress" in line]) == (0, [])


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_no_unit_runs_with_rights(unit: Path) -> None:
    text = unit.read_text()
    assert {"User=progress", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= set(text.splitlines())


def test_kustomize_builds_the_manifests() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl")
    done = subprocess.run(["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kinds = {each["kind"] for each in yaml.safe_load_all(done.stdout)}
    assert {"Deployment", "Job", "Service", "Ingress", "PodDisruptionBudget", "ConfigMap"} <= kinds
    assert "image: registry.example.com/progress-site:" in done.stdout


@pytest.mark.parametrize("name", PODS)
def test_no_pod_runs_with_rights_or_writes_to_its_image(name: str) -> None:
    pod = PODS[name]
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
    [container] = pod["containers"]
    locked = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["securityContext"] == locked
    assert [list(source) for source in container["envFrom"]] == [["configMapRef"], ["secretRef"]]


def test_liveness_asks_no_database_and_readiness_does() -> None:
    [container] = PODS["progress-site"]["containers"]
    probes = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_every_process_has_its_command() -> None:
    commands = {name: pod["containers"][0].get("command", [])[-1:] for name, pod in PODS.items()}
    assert commands == {
        "progress-site": [],
        "progress-migrate": ["--no-input"],
        "progress-watchdog": ["watchdog"],
        "progress-deliver": ["deliver"],
        "progress-consume": ["consume"],
    }


def test_the_settings_of_the_map_are_settings_of_the_site() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    [generator] = kustomization["configMapGenerator"]
    assert {literal.partition("=")[0] for literal in generator["literals"]} <= names_in_the_example()


def test_traefik_s_files_belong_together() -> None:
    """There is no package of Traefik here, so only the references within its files are checked."""
    static, dynamic = (yaml.safe_load((TRAEFIK / name).read_text()) for name in ("traefik.yaml", "progress.yaml"))
    http: Any = dynamic["http"]
    for router in http["routers"].values():
        assert set(router["entryPoints"]) <= set(static["entryPoints"])
        assert router["service"] in http["services"]
        assert set(router.get("middlewares", [])) <= set(http["middlewares"])
        assert router["tls"]["certResolver"] in static["certificatesResolvers"]
    assert "middlewares" not in http["routers"]["progress-live"], "a buffer would hold streams back"
