"""The Dockerfile and the compose files: every file, extra, flag and stage that they name exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from conftest import REPOSITORY
from semg_hht.cli.main import app

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
EXTRAS = set(tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"])
PROGRAM: Any = typer.main.get_command(app)
without_page = pytest.mark.skipif("app" not in PROGRAM.commands, reason="the command line has no web page")


def instructions(stage: str = "") -> list[tuple[str, str]]:
    """(instruction, its arguments) in order; of one stage, if one is named."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]
    if not stage:
        return lines
    start = next(i for i, (name, words) in enumerate(lines) if name == "FROM" and words.endswith(f" AS {stage}"))
    later = [i for i, (name, _) in enumerate(lines) if name == "FROM" and i > start]
    return lines[start : later[0] if later else None]


def compose(name: str = "docker-compose.yml") -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))
    return content["services"]


def copied() -> list[str]:
    lines = [shlex.split(words) for name, words in instructions() if name == "COPY" and "--from=" not in words]
    return [word for line in lines for word in line[:-1] if not word.startswith("--")]


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "--failure-threshold", "warning", "Dockerfile"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml", "docker-compose.gpu.yml"],
    ],
    ids=["hadolint", "check-jsonschema"],
)
def test_linters_find_nothing(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    if not program.is_file():
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([program, *command[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_copied_files_exist_and_are_not_ignored() -> None:
    assert copied()
    allowed = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for path in copied():
        assert (REPOSITORY / path).exists(), path
        assert any(fnmatch(path, pattern) for pattern in allowed), f"{path} does not reach the build"
    assert sorted(copied()) == sorted(allowed)


@without_page
def test_extras_are_those_of_the_package() -> None:
    named = re.findall(r"extras=\"(?:\$extras,)?([a-z,]+)\"|\.whl\)\[([a-z,]+)\]", DOCKERFILE)
    words = {word for pair in named for part in pair for word in part.split(",") if word}
    assert {"app", "train", "notebook"} <= words <= EXTRAS


def test_bounds_of_torch_are_those_of_the_package() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (torch,) = (need for need in project["optional-dependencies"]["train"] if need.startswith("torch"))
    assert set(re.findall(r'"(torch[^"]*)"', DOCKERFILE)) == {torch}


@without_page
@pytest.mark.parametrize(
    "words",
    [next(words for name, words in instructions("page") if name == "CMD"), compose()["page"]["command"]],
    ids=["Dockerfile", "compose"],
)
def test_the_pages_command_is_a_real_one(words: str) -> None:
    verb, *flags = re.findall(r"[\w.-]+", re.sub(r"\$\{CHECKPOINT:\+(.*?)\}", r"\1", words))
    options = {name for option in PROGRAM.get_command(None, verb).params for name in option.opts}
    assert {flag.replace("_", "-") for flag in flags if flag.startswith("--")} <= options
    assert flags[:4] == ["--host", "0.0.0.0", "--port", "7860"]


@pytest.mark.parametrize("stage", ["page", "jupyter"])
def test_containers_do_not_run_as_root(stage: str) -> None:
    names, words = zip(*instructions(stage), strict=True)
    assert [user for name, user in zip(names, words, strict=True) if name == "USER"] == ["semg"]
    assert names.index("USER") > names.index("RUN")


def test_the_health_check_asks_the_port_of_the_page() -> None:
    (port,) = (words for name, words in instructions("page") if name == "EXPOSE")
    (check,) = (words for name, words in instructions("page") if name == "HEALTHCHECK")
    assert f"127.0.0.1:{port}/" in check


@pytest.mark.parametrize("service", ["page", "jupyter"])
def test_services_are_stages_that_only_this_computer_reaches(service: str) -> None:
    content = compose()[service]
    inside = {name: words for name, words in instructions(content["build"]["target"])}
    assert content["ports"] == [f"127.0.0.1:{inside['EXPOSE']}:{inside['EXPOSE']}"]
    arguments = {words.split("=")[0] for name, words in instructions() if name == "ARG"}
    assert set(content["build"]["args"]) <= arguments
    mounted = {re.sub(r":ro$", "", volume).rsplit(":", 1)[1] for volume in content["volumes"]}
    assert mounted == set(yaml.safe_load(inside["VOLUME"]))


def test_the_gpu_file_extends_the_same_services() -> None:
    assert set(compose("docker-compose.gpu.yml")) == set(compose())
