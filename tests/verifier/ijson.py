"""Values of event members: RFC 8259 with the limits of statement.md section 2.1
(rules 1 and 4 to 7). A scanner of its own, because Python's `json` takes NaN,
white space round values, lone surrogates and second names.

Parsed values: objects `dict`, arrays `list`, strings `str` (unescaped), numbers
`float`, literals `True`, `False` and `None`.
"""

import re

from errors import Bad, need

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1

SPACE = re.compile(r"[ \t\n\r]*")
STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)"')
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|(.))")
SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
FORBIDDEN = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
LITERALS = (("true", True), ("false", False), ("null", None))


def utf8(data):
    """The text of strict UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Bad("not UTF-8") from None


def check_characters(text):
    """Rule 6: no surrogate, no noncharacter."""
    need(not FORBIDDEN.search(text), "a surrogate or noncharacter")
    return text


def unescape(text):
    """The characters that a string's inside stands for."""
    if "\\" in text:
        text = ESCAPE.sub(unescape_one, text)
    return check_characters(text)


def unescape_one(match):
    unit, low, simple = match.groups()
    if simple is not None:
        return SIMPLE[simple]
    value = int(unit, 16)
    if low is None:
        return chr(value)
    if 0xD800 <= value <= 0xDBFF:
        return chr(0x10000 + ((value - 0xD800) << 10) + int(low, 16) - 0xDC00)
    return chr(value) + chr(int(low, 16))


class Scanner:
    """Reads one value after the other from a text."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def skip(self):
        self.at = SPACE.match(self.text, self.at).end()

    def next_is(self, character):
        """Whether the next character is this one, which is then taken."""
        if self.text.startswith(character, self.at):
            self.at += len(character)
            return True
        return False

    def value(self, depth):
        """The value that starts here; an object or array here has this depth."""
        start = self.text[self.at : self.at + 1]
        if start == '"':
            return self.string()
        if start in ("{", "["):
            need(depth <= MAX_DEPTH, f"nested deeper than {MAX_DEPTH}")
            self.at += 1
            return self.object(depth) if start == "{" else self.array(depth)
        for name, literal in LITERALS:
            if self.next_is(name):
                return literal
        return self.number()

    def string(self):
        match = STRING.match(self.text, self.at)
        need(match, "a broken string")
        self.at = match.end()
        return unescape(match.group(1))

    def number(self):
        match = NUMBER.match(self.text, self.at)
        need(match, "not a JSON value")
        self.at = match.end()
        if match.group(1) == "":
            digits = match.group().lstrip("-")
            need(len(digits) <= 16 and int(digits) <= MAX_INTEGER, "an integer beyond 2^53 - 1")
        number = float(match.group())
        need(abs(number) != float("inf"), "a number that is not finite")
        return number

    def array(self, depth):
        items = []
        self.skip()
        if self.next_is("]"):
            return items
        while True:
            self.skip()
            items.append(self.value(depth + 1))
            self.skip()
            if self.next_is("]"):
                return items
            need(self.next_is(","), "a broken array")

    def object(self, depth):
        members = {}
        self.skip()
        if self.next_is("}"):
            return members
        while True:
            self.skip()
            name = self.string()
            need(name not in members, "a name stands twice")
            self.skip()
            need(self.next_is(":"), "a broken object")
            self.skip()
            members[name] = self.value(depth + 1)
            self.skip()
            if self.next_is("}"):
                return members
            need(self.next_is(","), "a broken object")


def member_value(data):
    """The value of a top-level member of an event, which is itself depth 1."""
    scanner = Scanner(utf8(data))
    value = scanner.value(2)
    need(scanner.at == len(scanner.text), "bytes left over after the value")
    return value


def member_name(name):
    """Rules 3 and 6 for a top-level name."""
    need(1 <= len(name.encode("utf-8")) <= 128, "a name of 0 or more than 128 bytes")
    need(not re.search(r'["\\\x00-\x1f]', name), 'a name with \\, " or a control character')
    return check_characters(name)
