"""What the steps of `caxton doctor` have found."""

from attrs import field, frozen

from caxton_async.cli._exit_codes import ExitCode


@frozen
class CheckResult:
    """What one step found; `fails_with` is the exit code of a step that failed, `fact` what was assumed before."""

    step: str
    text: str
    is_fine: bool = True
    fails_with: ExitCode = ExitCode.ACCEPTED
    fact: str | None = None

    @property
    def status(self) -> str:
        """One word: ok, note or failed."""
        return "ok" if self.is_fine else "failed" if self.fails_with else "note"


@frozen
class Checks:
    """The steps, in their order, and what they found."""

    results: list[CheckResult] = field(factory=list)

    def fine(self, step: str, text: str, fact: str | None = None) -> None:
        """Note a step that is as it should be."""
        self.results.append(CheckResult(step, text, fact=fact))

    def note(self, step: str, text: str, fact: str | None = None) -> None:
        """Note what a person should look at."""
        self.results.append(CheckResult(step, text, is_fine=False, fact=fact))

    def fail(self, step: str, text: str, code: ExitCode) -> None:
        """Note what stands in the way."""
        self.results.append(CheckResult(step, text, is_fine=False, fails_with=code))

    @property
    def code(self) -> ExitCode:
        """The exit code of the first step that failed."""
        return next((each.fails_with for each in self.results if each.fails_with), ExitCode.ACCEPTED)
