"""The two ways in which a check fails.

`Bad` is raised by the readers of single objects, which do not know in which
step of the verification they are used. `Refusal` carries one of the classes of
proof-bundle.md section 2 and ends the verification of a bundle.
"""

from contextlib import contextmanager

#: proof-bundle.md section 2, in the document's order.
CLASSES = (
    "format",
    "policy",
    "checkpoint",
    "log-path",
    "header",
    "registry-path",
    "record",
    "organisation",
    "statement",
    "batch-path",
    "event-path",
    "member",
    "rule",
    "refused-event",
)


class Bad(ValueError):
    """A value breaks a rule of the documents."""


class Refusal(Exception):
    """A bundle is refused: the class of the first failing check, and why."""

    def __init__(self, klass, detail):
        assert klass in CLASSES
        super().__init__(f"{klass}: {detail}")
        self.klass = klass
        self.detail = detail


@contextmanager
def refusing(klass, place):
    """Turns a `Bad` raised inside into a refusal of the given class."""
    try:
        yield
    except Bad as bad:
        raise Refusal(klass, f"{place}: {bad}") from None


def need(condition, detail):
    """Raises `Bad` unless the condition holds."""
    if not condition:
        raise Bad(detail)
