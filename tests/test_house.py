"""The repository agrees with itself: environments, imports, settings in the documentation."""

import ast
import re
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CORE = ROOT / "core" / "modelshelf"


def project() -> dict[str, object]:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert isinstance(data, dict)
    return data


def test_conda_environment_agrees_with_pyproject() -> None:
    declared = project()
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    packages = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    extras = declared["optional-dependencies"]
    assert isinstance(extras, dict)
    assert isinstance(declared["dependencies"], list)
    assert packages == [*declared["dependencies"], *extras["notebook"], "--editable ."]
    assert f"python{declared['requires-python']}" in environment["dependencies"]


def test_constraints_name_versions_and_no_hosts() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 100
    assert all("==" in pin and "://" not in pin and "@" not in pin for pin in pins)


def imports(file: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=lambda file: str(file.relative_to(CORE)))
def test_core_knows_no_page(file: Path) -> None:
    assert not {name for name in imports(file) if name.split(".")[0] in {"panel", "bokeh", "modelshelf_dashboard"}}


SERVICES = (
    "adoption",
    "catalog",
    "compat",
    "downloads",
    "hooks",
    "imports",
    "library",
    "metadata",
    "providers",
    "vetting",
    "access",
    "vault",
    "store",
    "integration",
)


@pytest.mark.parametrize("service", SERVICES)
def test_services_do_not_know_state(service: str) -> None:
    """A view reads state, state takes in events, a service makes events and knows nobody."""
    used = {name for file in (CORE / service).rglob("*.py") for name in imports(file)}
    assert not {name for name in used if name.startswith(("modelshelf.state", "modelshelf.api", "modelshelf.cli"))}


def named(pattern: str) -> list[str]:
    return sorted(set(re.findall(pattern, (ROOT / "docs" / "specification.md").read_text("utf-8"))))


@pytest.mark.parametrize("symbol", named(r"`(modelshelf[\w.]*(?::[\w.]+)?)`"))
def test_what_the_specification_names_exists(symbol: str) -> None:
    module, _, attribute = symbol.partition(":")
    found: object = import_module(module)
    for part in attribute.split(".") if attribute else ():
        found = getattr(found, part)


@pytest.mark.parametrize("path", named(r"`(tests/[\w./]+)`"))
def test_tests_that_the_specification_names_exist(path: str) -> None:
    target = ROOT / path
    assert target.is_file() or any(target.rglob("test_*.py"))


def test_no_private_place_or_host_is_named() -> None:
    """What is committed holds neither a machine's paths nor the registries' names."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    told = re.compile(r"/(?:root|work|home/\w+)/|files\.pythonhosted|pypi\.org/simple")
    files = [
        ROOT / name
        for name in listed.split("\0")
        if name.endswith((".py", ".md", ".toml", ".txt", ".yml", ".js", ".css"))
    ]
    guilty = {str(file) for file in files if file.name != "test_house.py" and told.search(file.read_text("utf-8"))}
    assert not guilty
