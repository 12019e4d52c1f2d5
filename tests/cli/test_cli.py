"""The `bortlab` command: help without delay, sentences for errors, and answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bortlab
from bortlab import cli
from bortlab.cli import lab
from bortlab.system import settings

ROOT = Path(__file__).parents[2]
MODULES = {path.stem for path in Path(cli.__file__).parent.glob("*.py")} - {"__init__", "models", "progress"}

SLOW = """
import sys
from bortlab.cli import main
try:
    main(sys.argv[1:])
finally:
    slow = {"torch", "streamlit", "pandas", "numpy", "plotly"} & set(sys.modules)
    assert not slow, slow
"""


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m bortlab` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "bortlab", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_every_module_is_a_command_and_every_command_a_module() -> None:
    assert set(cli.COMMANDS) == MODULES


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["lab", "--help"], ["predict", "--help"]])
def test_help_imports_nothing_slow(arguments: list[str]) -> None:
    process = subprocess.run(
        [sys.executable, "-c", SLOW, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 0, process.stderr
    assert "bortlab" in process.stdout


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_the_help_of_a_command_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What it does, every option explained, and examples that the parser takes."""
    parser = cli.parser_for(command)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    examples = [line.strip() for line in text.partition("examples:")[2].splitlines() if f"  bortlab {command}" in line]
    assert examples
    for example in examples:
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', example.partition(" > ")[0])]
        options, others = parser.parse_known_args(words[1:])
        assert options.command == command
        assert command == "lab" or not others


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(re.search(rf"^ +{name}\s+\w", text, re.MULTILINE) for name in cli.COMMANDS)


def test_the_module_is_the_same_program() -> None:
    process = program("--version")
    assert (process.returncode, process.stdout) == (0, f"bortlab {bortlab.__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [[], ["brot"], ["predict"], ["predict", "A [MASK].", "--bread"], ["minis", "bert-mini", "--pieces", "many"]],
)
def test_a_wrong_call_is_status_2_with_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: bortlab" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "A cat."], "[MASK]"),
        (["predict", "A [MASK].", "--model", "albert-mimi"], "albert-mini"),
        (["predict", "A [MASK].", "--model", "/no/such/folder"], "/no/such/folder"),
        (["predict", "A [MASK].", "--top", "0"], "top_k"),
        (["corpus", "--wordnet", "/no/such/folder"], "wordnet-base"),
        (["latency", "--compare", "/no/such.json", "/no/such.json"], "/no/such.json"),
    ],
)
def test_what_the_user_can_mend_is_a_sentence_and_status_1(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    written = capsys.readouterr()
    assert written.out == "" and words in written.err and "Traceback" not in written.err
    assert written.err.startswith(f"bortlab {arguments[0]}: ")


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ValueError of another package's making is not the user's to mend."""
    monkeypatch.setattr("bortlab.registry.checkpoints", lambda: json.loads("nonsense"))
    with pytest.raises(ValueError, match="Expecting value"):
        cli.main(["checkpoints"])


def test_predict_prints_what_the_library_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = "Paris is the [MASK] of France."
    assert cli.main(["predict", text, "--model", "albert-mini", "bort-mini", "--top", "2"]) == 0
    printed = capsys.readouterr().out
    for key in ("albert-mini", "bort-mini"):
        assert f"{key} (" in printed and str(bortlab.load(key).fill_mask(text, top_k=2)) in printed
    assert cli.main(["predict", text, "--json"]) == 0
    (blank,) = json.loads(capsys.readouterr().out)["albert-mini"]
    best = bortlab.load("albert-mini").fill_mask(text).blanks[0].candidates[0]
    assert blank[0] == {"text": best.text, "probability": best.probability} and len(blank) == 5


def test_predict_reads_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    folder = ROOT / "assets" / "checkpoints" / "bort-mini"
    assert cli.main(["predict", "A [MASK].", "--model", str(folder), "--family", "bort"]) == 0
    assert "Bort" in capsys.readouterr().out


def test_checkpoints_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["checkpoints", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["key"] for row in rows] == list(bortlab.checkpoints()["key"])
    assert cli.main(["checkpoints", "--offline"]) == 0
    printed = capsys.readouterr().out
    assert "albert-mini" in printed
    assert {line.split()[0] for line in printed.splitlines()[1:]} == {row["key"] for row in rows if row["offline"]}


def test_the_lab_without_its_packages_says_which_line_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "NEEDED", ("streamlit", "no_such_package"))
    assert cli.main(["lab"]) == 1
    sentence = capsys.readouterr().err
    assert "no_such_package" in sentence and "streamlit" not in sentence and "pip install 'bortlab[lab]'" in sentence


def test_lens_trains_one_and_keeps_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path))
    folder = ROOT / "assets" / "checkpoints" / "bort-mini"
    assert cli.main(["lens", str(folder), "--family", "bort", "--pieces", "2000"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["heldout"] and any(tmp_path.rglob("card.json"))


def test_a_class_reaches_the_lab_at_the_address_that_the_terminal_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(settings.CLASS.name, "0")
    monkeypatch.setattr(lab, "own_address", lambda: "192.0.2.7")
    assert lab.class_options(None) == [] and not settings.CLASS.is_true()
    for address, host in (("", "192.0.2.7"), ("192.0.2.9", "192.0.2.9")):
        options = lab.class_options(address)
        assert options[:4] == ["--server.address", "0.0.0.0", "--browser.serverAddress", host]
        assert options[4:] == [
            part for name in ("localhost", "127.0.0.1", host) for part in ("--server.allowedHosts", name)
        ]
        printed = capsys.readouterr().out
        assert f"everybody in this network can open the lab at {host}" in printed
        assert settings.CLASS.is_true()


def test_without_a_network_there_is_no_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "own_address", lambda: None)
    with pytest.raises(lab.NoNetworkError, match="--class ADDRESS"):
        lab.class_options("")


@pytest.mark.parametrize("address", ["http://192.0.2.7:8501", "192.0.2.7:8501", "my laptop", "fe80::1"])
def test_the_address_of_a_class_is_a_name_or_an_ipv4_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"without http:// and port, got"):
        lab.class_options(address)
