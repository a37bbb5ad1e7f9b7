"""What is wrong with an input, and what is worth a look; none of it shows the content of a cell."""

from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

from caxton_async.errors import InvalidRequest

_MAX_ERRORS = 100  # that are kept and shown; the rest are counted
_SHOWN_LINES = 5  # that a notice names; the rest are counted


class CellError(ValueError):
    """A cell does not hold what its column needs: the problem, and what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy


class UnreadableFile(Exception):
    """The file cannot be read from this line on: the problem, and what to do about it."""

    def __init__(self, line: int, problem: str, remedy: str) -> None:
        super().__init__(line, problem, remedy)
        self.line = line
        self.problem = problem
        self.remedy = remedy


@frozen
class RowError:
    """What is wrong with one line, and what to do about it; `column` is None where it is the line as a whole."""

    line: int
    column: str | None
    problem: str
    remedy: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: {self.problem}: {self.remedy}"


class RowErrors(InvalidRequest):
    """A file has wrong rows, so none of it is used: `errors` are the first hundred, `count` is how many there are."""

    def __init__(self, message: str, *, errors: Sequence[RowError] = (), count: int = 0) -> None:
        super().__init__(message)
        self.errors = tuple(errors)
        self.count = count


@define
class Problems:
    """Collects the errors of an input and what is worth a look, in memory that does not grow with it."""

    errors: list[RowError] = field(init=False, factory=list)
    count: int = field(init=False, default=0)
    _notices: dict[str, tuple[int, list[int]]] = field(init=False, factory=dict)

    def add(self, line: int, column: str | None, problem: str, remedy: str) -> None:
        """Note an error."""
        self.count += 1
        if len(self.errors) < _MAX_ERRORS:
            self.errors.append(RowError(line, column, problem, remedy))

    def raise_errors(self, name: object, consequence: str) -> None:
        """Raise RowErrors when there is an error."""
        if self.count:
            counted = f"{name} has {self.count} error{'s' * (self.count > 1)}, so {consequence}:"
            more = [f"and {self.count - len(self.errors)} more"] if self.count > len(self.errors) else []
            raise RowErrors("\n  ".join([counted, *map(str, self.errors), *more]), errors=self.errors, count=self.count)

    def notice(self, text: str, line: int | None = None) -> None:
        """Note what is worth a look in a line, or in the input as a whole."""
        count, lines = self._notices.get(text, (0, []))
        if line is not None and len(lines) < _SHOWN_LINES and line not in lines:
            lines.append(line)
        self._notices[text] = (count + 1, lines)

    def notices(self) -> Iterator["Notice"]:
        """Yield what is worth a look, one value for each kind."""
        return (Notice(text, count, tuple(lines)) for text, (count, lines) in self._notices.items())


@frozen
class Notice:
    """What may be right, and is worth a look: `lines` are the first of the places, `count` is how many there are."""

    text: str
    count: int
    lines: tuple[int, ...]

    def __str__(self) -> str:
        if not self.lines:
            return self.text
        more = f" and {self.count - len(self.lines)} more" if self.count > len(self.lines) else ""
        return f"{self.text}: line{'s' * (self.count > 1)} {', '.join(map(str, self.lines))}{more}"
