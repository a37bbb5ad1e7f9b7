"""The command line by itself: usage, conversion of text, what goes to which stream, and what is imported."""

import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import fields

from caxton_async import CATALOGUE, ConfigurationError, Settings
from caxton_async.cli import main, split_profile
from caxton_async.cli._output import plain, printable, private_file, show
from caxton_async.cli._progress import Progress
from caxton_async.cli._running import within_descriptors
from caxton_async.config import unknown_variables
from caxton_async.journal import RowState
from caxton_async.models import Balance, GeneratedPassword
from caxton_async.secret import Secret
from tests.support.command import COMMAND, bare_environment
from tests.support.payments import Place, outcome, plan

COMMANDS = (
    *("auth", "call", "demo", "doctor", "emulator", "endpoints", "journal"),
    *("reconcile", "report", "resolve", "resume", "retry", "run", "status", "template"),
)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Give each test an environment without settings, and give back what `main` changes in this process."""
    for name in [name for name in os.environ if name.startswith("CAXTON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CAXTON_STATE_DIR", str(tmp_path / "state"))
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def run(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run the command as a process of its own."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60, **options)


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        pytest.param(["--version"], {"aiohttp", "msgspec", "cattrs", "sqlite3"}, id="version"),
        pytest.param(["run", "--help"], {"aiohttp", "msgspec", "cattrs", "sqlite3"}, id="help of a command"),
        pytest.param(["status"], {"aiohttp", "msgspec", "rich"}, id="status"),
    ],
)
def test_a_command_waits_for_nothing_that_it_does_not_use(arguments: list[str], unused: set[str]) -> None:
    """What a command line imports is what it needs."""
    program = (
        # What is there from the start is the interpreter's, or of whoever measures the coverage of subprocesses.
        f"import sys; there = set(sys.modules); from caxton_async.cli import main; main({arguments!r});"
        f"print(sorted({unused!r} & set(sys.modules) - there))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1:] == ["[]"]


def test_help_names_every_command_and_every_exit_code() -> None:
    """Help on stdout is where a newcomer begins."""
    done = run("--help")

    assert [name for name in COMMANDS if f" {name} " not in done.stdout] == []
    codes = " ".join(done.stdout.partition("Exit codes:")[2].split())
    assert [code for code in range(6) if f"{code} " not in codes] == []
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command's help says how it is used."""
    code = main([name, "--help"])

    assert code == 0
    assert f"Usage: caxton {name}" in capsys.readouterr().out


def test_help_names_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    """Each variable that something reads, and none that nothing does."""
    main(["--help"])

    words = " ".join(capsys.readouterr().out.split())
    named = set(re.findall(r"CAXTON_[A-Z_]*[A-Z]", words))
    settings = {f"CAXTON_{field.name.upper()}" for field in fields(Settings)}
    assert settings - named == {"CAXTON_PATHS", "CAXTON_SSL_CONTEXT", "CAXTON_ON_EVENT"}
    assert unknown_variables(dict.fromkeys(named - {"CAXTON_PATH"}, "")) == ()  # a path has the name of its call
    assert "--profile NAME" in words


@pytest.mark.parametrize(
    ("arguments", "rest", "profile"),
    [
        pytest.param("--profile a status", "status", "a", id="before"),
        pytest.param("status --profile a --json", "status --json", "a", id="after"),
        pytest.param("status --profile=a", "status", "a", id="with an equals sign"),
        pytest.param("call x -- --profile a", "call x -- --profile a", None, id="not an option"),
        pytest.param("status --profile", "status --profile", None, id="no name"),
        pytest.param("--profile a emulator --json", "emulator --json --profile a", None, id="the emulator's own"),
    ],
)
def test_a_profile_stands_before_or_after_a_command(arguments: str, rest: str, profile: str | None) -> None:
    """It is taken out of the command line, wherever it stands."""
    assert split_profile(arguments.split()) == (rest.split(), profile)


def test_a_profile_without_a_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not ignored."""
    code = main(["status", "--profile"])

    assert code == 2
    assert "--profile" in capsys.readouterr().err


def test_a_variable_that_nothing_reads_is_warned_of_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the nearest name that something does."""
    monkeypatch.setenv("CAXTON_PASWORD_FILE", "x")

    code = main(["call", "list_banks"])

    told = capsys.readouterr().err
    assert code == 2
    assert told.count("CAXTON_PASWORD_FILE is not known: did you mean CAXTON_PASSWORD_FILE?") == 1


def test_completion_is_installed_by_one_command(tmp_path: Path) -> None:
    """The shell's start-up file finds a script that knows commands and options."""
    environment = bare_environment(tmp_path) | {"HOME": str(tmp_path), "SHELL": "/bin/bash"}

    done = run("--install-completion", env=environment)

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith(": start a new shell to use it\n")
    scripts = "".join(file.read_text() for file in tmp_path.rglob("*") if file.is_file())
    assert [word for word in ("caxton", "reconcile", "--dry-run") if word not in scripts] == []


def test_without_its_extra_the_command_names_what_to_install() -> None:
    """A library that is missing is a sentence, not a traceback."""
    program = "import sys; sys.modules['cyclopts'] = None; from caxton_async.cli import main; sys.exit(main(['demo']))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == "caxton: the command line needs cyclopts: python -m pip install 'caxton-async[cli]'\n"


def test_the_list_of_calls_is_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    """`endpoints --json` tells each call of the catalogue, with its fields."""
    main(["endpoints", "--json"])

    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert list(listed) == [*CATALOGUE, "bulk_payments"]
    assert listed["move_funds"] == {
        "name": "move_funds",
        "method": "POST",
        "path": "account/balances/third-party/movement",
        "repeatable": False,
        "documented": True,
        "acts_for": "user",
        "fields": ["from_currency", "to_currency", "amount"],
    }


def test_the_table_of_calls_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Elsewhere than on a terminal no line of the table is broken."""
    main(["endpoints"])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *CATALOGUE, "bulk_payments"]
    assert "[friendly_name]" in next(line for line in lines if line.startswith(" create_pot"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["frobnicate"], 'Unknown command "frobnicate"', id="no such command"),
        pytest.param(["call"], "requires an argument", id="no name"),
        pytest.param(["call", "move_fund"], "no call 'move_fund': did you mean move_funds?", id="a near name"),
        pytest.param(["call", "xyz"], "no call 'xyz': caxton endpoints lists them", id="no near name"),
        pytest.param(["call", "create_wallet"], "missing: name", id="a field is missing"),
        pytest.param(["call", "move_funds"], "missing: from_currency, to_currency, amount", id="all are missing"),
        pytest.param(["call", "create_wallet", "nme=x"], "did you mean name?", id="a near field"),
        pytest.param(["call", "create_wallet", "q=x"], "it takes name", id="no near field"),
        pytest.param(["call", "list_banks", "q=x"], "it takes none", id="no field at all"),
        pytest.param(["call", "create_wallet", "name"], "write KEY=VALUE", id="no value"),
        pytest.param(["call", "create_wallet", "name=a", "Name=b"], "name is given twice", id="given twice"),
        pytest.param(["call", "fund_sandbox", "amount=1,000"], "without separators", id="not a number"),
        pytest.param(["call", "create_wallet", "name=@nowhere"], "nowhere cannot be read", id="no such file"),
        pytest.param(["call", "create_wallet", "name=env:NOWHERE"], "has no NOWHERE", id="no such variable"),
        pytest.param(["resolve", "b", "r", "--note", "n"], "either --paid or --not-paid", id="resolved as nothing"),
        pytest.param(["resolve", "b", "r", "--note", "n", "--paid", "--not-paid"], "either", id="resolved as both"),
        pytest.param(["status", "b", "--journal", "nowhere"], "there is no journal nowhere yet", id="no such journal"),
        pytest.param(["emulator", "--faults", "nowhere"], "cannot start: No such file", id="no such faults"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage ends with code 2, nothing on stdout, and a sentence that says what to do."""
    code = main(arguments)

    told = capsys.readouterr()
    assert (code, told.out) == (2, "")
    assert said in told.err
    assert told.err.startswith("caxton: ")
    assert "Traceback" not in told.err


def test_everything_wrong_with_a_call_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown fields, wrong values and missing fields stand in one message."""
    main(["call", "move_funds", "from_curency=GBP", "amount=ten"])

    told = capsys.readouterr().err
    assert "did you mean from_currency?" in told
    assert "amount: a text of 3 characters is not a plain number" in told
    assert "missing: from_currency, to_currency" in told


def test_fields_may_be_spelt_as_the_api_does(capsys: pytest.CaptureFixture[str]) -> None:
    """`SellccyCode` is `sell_ccy_code`, so that the examples of the vendor's guide can be typed."""
    main(["call", "get_card_rate", "CcyCode=EUR", "SellccyCode=GBP", "Amount=100"])

    assert "CAXTON_USERNAME" in capsys.readouterr().err


def test_a_secret_typed_in_clear_is_refused_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """A secret on a command line stands in the history of the shell; the message must not add to it."""
    code = main(["call", "get_access_token", "username=u", "password=hunter2"])

    told = capsys.readouterr()
    assert code == 2
    assert "write password=@FILE or password=env:VARIABLE" in told.err
    assert "hunter2" not in told.out + told.err


def test_all_missing_variables_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """What has to log in misses three variables, and says so in one message."""
    code = main(["call", "list_banks"])

    told = capsys.readouterr().err
    names = ("CAXTON_USERNAME", "CAXTON_CLIENT_NAME", "CAXTON_PASSWORD")
    assert [name for name in names if name not in told] == []
    assert code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["call", "create_wallet", "name=x"], id="call"),
        pytest.param(["auth", "password", "--show"], id="password"),
        pytest.param(["auth", "reset"], id="reset"),
        pytest.param(["auth", "rotate", "--out", "new"], id="rotate"),
        pytest.param(["run", "create_wallet", "wallets.csv"], id="run"),
    ],
)
def test_production_needs_yes(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What must not be repeated is not done in production by mistake."""
    for name in ("USERNAME", "CLIENT_NAME", "PASSWORD"):
        monkeypatch.setenv(f"CAXTON_{name}", "x")
    monkeypatch.setenv("CAXTON_ENVIRONMENT", "production")
    monkeypatch.chdir(tmp_path)
    Path("wallets.csv").write_text("reference,name\na,Marketing\n")

    code = main(arguments)

    assert code == 2
    assert "add --yes to do so" in capsys.readouterr().err
    assert not (tmp_path / "state" / "journal.sqlite").exists()


def test_a_reader_that_has_seen_enough_causes_no_traceback(tmp_path: Path) -> None:
    """`caxton endpoints --json | head` ends quietly."""
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [*COMMAND, "endpoints", "--json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        env=bare_environment(tmp_path),
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")


# --- output ---


def test_a_servers_words_cannot_act_on_the_terminal() -> None:
    """Escape sequences are shown, not obeyed."""
    assert printable("a\x1b[2Jb\r\x07\nä") == "a\\x1b[2Jb\\r\\x07\nä"


def test_results_are_exact_and_masked() -> None:
    """Amounts keep their digits, and a secret is shown only when that was asked for."""
    password = GeneratedPassword(Secret("canary"))

    assert plain((Balance(Decimal("30.00"), "GBP"),))[0]["balance"] == "30.00"
    assert plain(password)["client_password"] == "***"
    assert plain(password, reveal=True)["client_password"] == "canary"


def test_a_table_leaves_out_what_is_nowhere_known(capsys: pytest.CaptureFixture[str]) -> None:
    """A column in which nothing stands is not shown; what is not a record is shown as JSON."""
    show([{"a": 1, "b": None, "c": ["x"]}, {"a": True, "b": None, "c": None}])
    show([1])

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["a", "c"],
        ["1", '["x"]'],
        ["yes"],
        ["[1]"],
    ]


def test_progress_without_a_terminal_is_a_few_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A line at each tenth, on stderr: counts by state, calls per second and the time left."""
    clock = iter(range(100))
    with Progress("may", Counter({RowState.PLANNED: 20}), clock=lambda: next(clock) / 2) as shown:
        shown.add(RowState.UNKNOWN)
        for _ in range(19):
            shown.add(RowState.ACCEPTED)

    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 10
    assert told.err.splitlines()[4] == "may: 10 of 20, 9 accepted, 1 unknown, 1.8/s, 0:06 left"
    assert told.err.splitlines()[9] == "may: 20 of 20, 19 accepted, 1 unknown"


def test_a_private_file_is_new_and_nobody_elses(tmp_path: Path) -> None:
    """It is made with mode 0600, and neither an old file nor a link is written through."""
    fresh, old, link = tmp_path / "fresh", tmp_path / "old", tmp_path / "link"
    old.write_text("kept")
    link.symlink_to(tmp_path / "elsewhere")

    with private_file(fresh) as descriptor:
        os.write(descriptor, b"secret")

    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    assert fresh.read_text() == "secret"
    for taken in (old, link):
        with pytest.raises(ConfigurationError, match="exists already"), private_file(taken):
            pytest.fail("it was opened")
    with pytest.raises(ConfigurationError, match="No such file"), private_file(tmp_path / "no" / "folder"):
        pytest.fail("it was opened")
    assert old.read_text() == "kept"


def test_a_call_that_fails_leaves_no_empty_file_behind(tmp_path: Path) -> None:
    """A file that was opened for a secret that never came is removed again; what was written is kept."""
    empty, half = tmp_path / "empty", tmp_path / "half"

    for path, text in ((empty, b""), (half, b"x")):
        with suppress(KeyError), private_file(path) as descriptor:
            os.write(descriptor, text)
            raise KeyError

    assert not empty.exists()
    assert half.read_bytes() == b"x"


async def test_a_late_answer_that_contradicts_a_decision_is_an_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`status` says so of the batch and of all, with the code of what is unknown, until a person has decided anew."""
    folder = tmp_path / "state"
    place = Place(str(folder / "journal.sqlite"), {"CAXTON_STATE_DIR": str(folder)})
    async with place.open() as journal:
        batch = str((await plan(journal)).id)
        async with await journal.join() as worker:
            taken = await worker.take(int(batch))
        assert taken is not None
        decided = main(["resolve", batch, "row-1", "--not-paid", "--note", "asked the bank"])
        await worker.record(taken, outcome())

    capsys.readouterr()
    codes = [main(["status", *given]) for given in ([], [batch])]
    alarms = capsys.readouterr().err.count("ALARM")
    corrected = main(["resolve", batch, "row-1", "--paid", "--note", "the bank was wrong"])

    assert (decided, codes, alarms, corrected) == (0, [4, 4], 2, 0)
    assert [main(["status", *given]) for given in ([], [batch])] == [0, 0]


@pytest.mark.parametrize(
    ("limit", "in_flight"),
    [(16, 1), (64, 40), (1024, 64), (resource.RLIM_INFINITY, 64)],
    ids=["very few", "few", "many", "no limit"],
)
def test_calls_in_flight_leave_files_for_the_journal(
    monkeypatch: pytest.MonkeyPatch, limit: int, in_flight: int
) -> None:
    """A journal that cannot open its files cannot record what was sent."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (limit, limit))

    assert within_descriptors(64) == in_flight


def test_a_report_is_never_written_over_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its key a journal could not be read any more."""
    key = tmp_path / "key"
    key.write_text("precious")
    monkeypatch.setenv("CAXTON_JOURNAL_KEY_FILE", str(key))

    code = main(["report", "may", "--csv", str(key), "--force"])

    assert (code, key.read_text()) == (2, "precious")
    assert "is what CAXTON_JOURNAL_KEY_FILE names" in capsys.readouterr().err
