from __future__ import annotations

import re

_MAX_REPEAT = 1000
_MAX_DEPTH = 1000

_ESCAPES = frozenset("aftnrvdDsSwWbBAzpPQExC01234567")
_PUNCTUATION = re.compile(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]")
_REPEAT = re.compile(r"\{(\d{1,9})(?:(,)(\d{0,9}))?\}")
_GROUP = re.compile(r"\?(?:P?<([A-Za-z_]\w*)>|([imsU]*(?:-[imsU]+)?)([:)]))")
_HEX = re.compile(r"x(?:[0-9A-Fa-f]{2}|\{([0-9A-Fa-f]{1,8})\})")
_PROPERTY = re.compile(r"[pP](?:[A-Za-z]|\{\^?[A-Za-z_]+\})")
_CLASS = re.compile(r"\[:\^?([a-z]+):\]")
_CLASS_NAMES = frozenset(
    (
        *("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph"),
        *("lower", "print", "punct", "space", "upper", "word", "xdigit"),
    )
)


def pattern_error(pattern: str) -> str:
    """Say what is wrong with a regular expression in RE2 syntax, empty if nothing is.

    That is the syntax applications are written for: no look-around and no back-references, so that
    matching takes linear time. The check itself does too.
    """
    return _Scanner(pattern).error()


class _Scanner:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._names: set[str] = set()

    def error(self) -> str:
        text, depth = self._text, 0
        # What stands before, as far as a repetition cares: nothing, an atom, or a repetition.
        before = ""
        while self._at < len(text):
            char = text[self._at]
            if char in "*+?{":
                wrong, before = self._repetition(char, before)
            elif char == "(":
                depth += 1
                before = ""
                wrong = "groups are nested too deep" if depth > _MAX_DEPTH else self._group()
                if self._text[self._at - 1] == ")":
                    depth -= 1
            elif char == ")":
                depth -= 1
                wrong = "a `)` without its `(`" if depth < 0 else ""
                self._at += 1
                before = "atom"
            elif char == "|":
                wrong, before = "", ""
                self._at += 1
            elif char == "[":
                wrong, before = self._class(), "atom"
            elif char == "\\":
                wrong, before = self._escape(), "atom"
            else:
                wrong, before = "", "atom"
                self._at += 1
            if wrong:
                return wrong
        return "a `(` without its `)`" if depth else ""

    def _repetition(self, char: str, before: str) -> tuple[str, str]:
        start = self._at
        if char == "{":
            match = _REPEAT.match(self._text, start)
            if match is None:
                self._at += 1
                return "", "atom"
            low = int(match[1])
            high = int(match[3]) if match[3] else low
            self._at = match.end()
            if max(low, high) > _MAX_REPEAT or high < low:
                return f"`{match[0]}` is not a repetition that is possible (0 to {_MAX_REPEAT} times)", ""
        else:
            self._at += 1
        if self._text[self._at : self._at + 1] == "?":
            self._at += 1
        word = self._text[start : self._at]
        if before == "":
            return f"nothing to repeat before `{word}`", ""
        if before == "repetition":
            return f"`{word}` repeats a repetition; put it in parentheses", ""
        return "", "repetition"

    def _group(self) -> str:
        self._at += 1
        if self._text[self._at : self._at + 1] != "?":
            return ""
        match = _GROUP.match(self._text, self._at)
        if match is None:
            word = self._text[self._at - 1 : self._at + 3]
            return f"`{word}` is not a group of RE2 (there is no look-around)"
        self._at = match.end()
        if match[1] is not None:
            if match[1] in self._names:
                return f"two groups are called {match[1]}"
            self._names.add(match[1])
        elif match[2].endswith("-"):
            return f"`({match[0]}` is not a group of RE2"
        return ""

    def _escape(self) -> str:
        text, start = self._text, self._at
        self._at += 2
        char = text[start + 1 : start + 2]
        if not char:
            return "a `\\` at the end"
        if char == "Q":
            end = text.find("\\E", self._at)
            self._at = len(text) if end < 0 else end + 2
            return ""
        if char in "xpP":
            match = (_HEX if char == "x" else _PROPERTY).match(text, start + 1)
            if match is None or (char == "x" and match[1] and int(match[1], 16) > 0x10FFFF):
                return f"`\\{char}` without what belongs to it"
            self._at = match.end()
            return ""
        if char in "123456789" and not (char < "8" and text[start + 2 : start + 3].isdigit()):
            return f"`\\{char}` refers back to a group, which RE2 cannot"
        if char in _ESCAPES or _PUNCTUATION.match(char):
            return ""
        return f"`\\{char}` is not an escape of RE2"

    def _class(self) -> str:
        text = self._text
        self._at += 1
        if text[self._at : self._at + 1] == "^":
            self._at += 1
        is_first = True
        while self._at < len(text):
            char = text[self._at]
            if char == "]" and not is_first:
                self._at += 1
                return ""
            is_first = False
            if char == "[" and (match := _CLASS.match(text, self._at)):
                if match[1] not in _CLASS_NAMES:
                    return f"`{match[0]}` is not a class of characters"
                self._at = match.end()
                continue
            low, wrong = self._class_char()
            if wrong:
                return wrong
            if text[self._at : self._at + 1] == "-" and text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high, wrong = self._class_char()
                if wrong:
                    return wrong
                if low and high and high < low:
                    return f"the range `{low}-{high}` is the wrong way round"
        return "a `[` without its `]`"

    def _class_char(self) -> tuple[str, str]:
        start = self._at
        if self._text[start] != "\\":
            self._at += 1
            return self._text[start], ""
        wrong = self._escape()
        word = self._text[start : self._at]
        return (word[1] if len(word) == 2 and not word[1].isalnum() else ""), wrong
