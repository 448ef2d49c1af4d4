"""The files that install, cite, check and publish the project agree with each other and with the tree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conftest import REPOSITORY
from semg_hht.version import __version__

PYPROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = PYPROJECT["project"]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


def test_the_citation_is_valid_and_agrees_with_the_package() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["title"], citation["version"]) == (PROJECT["name"], __version__)
    assert citation["authors"] == PROJECT["authors"]
    assert (citation["license"], citation["keywords"]) == (PROJECT["license"], PROJECT["keywords"])
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]
    program = Path(sys.executable).parent / "check-jsonschema"
    if not program.is_file():
        pytest.skip("check-jsonschema is not installed")
    command = [program, "--builtin-schema", "vendor.citation-file-format", "CITATION.cff"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_data_files_of_the_package_are_installed() -> None:
    """Every file under src that is no code belongs to a pattern of package-data."""
    root = REPOSITORY / "src" / "semg_hht"
    code = {".py", ".pyi", ".c", ".h", ".so", ".pyd", ".pyc"}
    files = {path for path in root.rglob("*") if path.is_file() and path.suffix not in code}
    installed = set()
    for package, patterns in PYPROJECT["tool"]["setuptools"]["package-data"].items():
        folder = root.joinpath(*package.split(".")[1:])
        for pattern in patterns:
            matched = set(folder.glob(pattern))
            assert matched, f"{package}: {pattern} matches no file"
            installed |= matched
    assert files - installed == set()


@pytest.mark.parametrize("pattern", PYPROJECT["tool"]["ruff"]["lint"]["per-file-ignores"])
def test_ruffs_exceptions_name_files_that_exist(pattern: str) -> None:
    assert list(REPOSITORY.glob(pattern))


def test_every_rule_and_exception_of_ruff_has_a_reason() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    lint = text.split("[tool.ruff.lint]", 1)[1].split("[tool.mypy]", 1)[0]
    rules = [line for line in lint.splitlines() if re.search(r'"[A-Z]+\d*"', line)]
    assert rules
    assert [line for line in rules if "#" not in line] == []


def test_the_libraries_of_the_dev_extra_have_the_bounds_of_the_other_extras() -> None:
    extras = PROJECT["optional-dependencies"]
    bounds: dict[str, set[str]] = {}
    for needs in (PROJECT["dependencies"], *extras.values()):
        for need in needs:
            bounds.setdefault(re.split(r"[<>=]", need)[0], set()).add(need)
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_all_names_every_extra_but_dev() -> None:
    extras = dict(PROJECT["optional-dependencies"])
    (need,) = extras.pop("all")
    assert Requirement(need).name == PROJECT["name"]
    assert Requirement(need).extras == extras.keys() - {"dev"}


def test_the_constraints_keep_to_the_bounds_of_the_extras() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").split()
    versions = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines}
    needs = [
        *PROJECT["dependencies"],
        *PROJECT["optional-dependencies"]["train"],
        *PROJECT["optional-dependencies"]["dev"],
    ]
    for need in map(Requirement, needs):
        assert need.specifier.contains(versions[canonicalize_name(need.name)]), need


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_workflows_are_valid_and_call_what_exists(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    for job in workflow["jobs"].values():
        for word in " ".join(step.get("run", "") for step in job["steps"]).split():
            assert not word.startswith(".ci/") or (REPOSITORY / word).is_file(), word
        assert all(re.search(r"@([0-9a-f]{40}|release/v1)$", step["uses"]) for step in job["steps"] if "uses" in step)
    program = Path(sys.executable).parent / "check-jsonschema"
    if not program.is_file():
        pytest.skip("check-jsonschema is not installed")
    command = [program, "--builtin-schema", "vendor.github-workflows", path]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_tries_each_python_from_the_oldest_on() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "wheels.yml").read_text(encoding="utf-8"))
    versions = workflow["jobs"]["tried"]["strategy"]["matrix"]["python"]
    assert f">={versions[0]}" == PROJECT["requires-python"]
    assert versions == [f"3.{minor}" for minor in range(int(versions[0].split(".")[1]), 15)]


def test_hooks_run_the_commands_of_the_makefile() -> None:
    (repository,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    targets = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M)
    for hook in repository["hooks"]:
        program, target = hook["entry"].split()
        assert program == "make" and target in targets
