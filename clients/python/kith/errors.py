"""What can go wrong. Every exception has `code`, `field` and `sentence`."""

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kith.client import Attempt


class Code(enum.IntEnum):
    """gRPC's numbers, as in the protocol."""

    OK = 0
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Violation(NamedTuple):
    """A field that is wrong, the rule that it breaks and what to do about it."""

    field: str
    rule: str
    mend: str


class Error(Exception):
    """Base of all. `code`: a Code, or a plain number that a newer service sent. `field`: which one
    is wrong, None if none is named. `sentence`: what happened, for people."""

    def __init__(self, code: int, sentence: str, field: str | None = None) -> None:
        try:
            self.code: Code | int = Code(code)
        except ValueError:
            self.code = code
        self.field = field
        self.sentence = sentence
        name = self.code.name if isinstance(self.code, Code) else f"code {code}"
        super().__init__(f"{name}: {sentence}")


class Refused(Error):
    """The service said no."""

    def __init__(
        self,
        code: int,
        sentence: str,
        violations: Sequence[Violation] = (),
        retry_after_ms: int | None = None,
    ) -> None:
        self.violations = tuple(violations)
        self.retry_after_ms = retry_after_ms
        if violations:
            first = violations[0]
            sentence = f"{sentence}: {first.field} {first.rule}; {first.mend}"
        super().__init__(code, sentence, violations[0].field if violations else None)


class TooLong(Error):
    """The message is over a bound of the protocol. It was not sent."""

    def __init__(self, sentence: str, field: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, sentence, field)


class NoAnswer(Error):
    """Nobody answered in time."""

    def __init__(self, sentence: str) -> None:
        super().__init__(Code.UNAVAILABLE, sentence)


class OutcomeUnknown(NoAnswer):
    """A command was sent and not answered: it may have been done. Send it again, the same in all,
    with `attempt`; it is then done once, whatever happened to the first."""

    def __init__(self, sentence: str, attempt: "Attempt") -> None:
        super().__init__(f"{sentence}; send it again with the same attempt, {attempt.key}")
        self.attempt = attempt


class BadReply(Error):
    """What came is not what the protocol says. If it was to be the answer to a command, `attempt`
    names that: it may have been done."""

    def __init__(self, sentence: str) -> None:
        self.attempt: "Attempt | None" = None
        super().__init__(Code.INTERNAL, sentence)


class FeedStopped(Error):
    """The feed is not the one that was read before, or holds what this program cannot judge.
    Reading on would be wrong; a person must look."""

    def __init__(self, sentence: str, code: int = Code.DATA_LOSS) -> None:
        super().__init__(code, sentence)
