"""The files around the code name what is there: sessions, versions and tools."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.support.places import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES = [*WORKFLOWS, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", ".ci/run"))]
NOXFILE = ast.parse((ROOT / "noxfile.py").read_text())


def sessions() -> set[str]:
    """Return the names of the sessions that the noxfile defines."""
    return {
        node.name
        for node in NOXFILE.body
        if isinstance(node, ast.FunctionDef) and any("session" in ast.unparse(each) for each in node.decorator_list)
    }


def supported() -> list[str]:
    """Return the Pythons on which the sessions run."""
    values = {ast.unparse(node.targets[0]): node.value for node in NOXFILE.body if isinstance(node, ast.Assign)}
    return list(ast.literal_eval(values["SUPPORTED"]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_session_named_exists(page: Path) -> None:
    """What a page or a workflow tells nox to run is in the noxfile."""
    text = page.read_text()
    matrix = " ".join(re.findall(r"session: \[(.*)\]", text))
    named = {*re.findall(r"nox -s ([a-z]+)", text), *re.findall(r"[a-z]+", matrix)}

    assert named <= sessions()


def test_the_workflow_tests_every_supported_python() -> None:
    """The matrix of the workflow is that of the noxfile; a Python gets its classifier once it was tried."""
    matrix = re.search(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text())
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]

    assert re.findall(r"[\d.]+", matrix[1]) == supported()
    assert {each.rpartition(" :: ")[2] for each in classifiers if " :: 3." in each} <= set(supported())


def test_the_hooks_before_a_commit_use_the_ruff_of_the_gate() -> None:
    """The hooks and `nox -s lint` agree about format."""
    hooks = set(re.findall(r"ruff==([\d.]+)", (ROOT / ".pre-commit-config.yaml").read_text()))

    assert hooks == set(re.findall(r"^ruff==([\d.]+)", (ROOT / "locks/lint.txt").read_text(), re.MULTILINE))
