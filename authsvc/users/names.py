"""Names of people: one canonical form, in which no two that look alike are two. Pure.

Sources: RFC 8265 section 3 (PRECIS, UsernameCasePreserved), Unicode TS 39 section 5.2 (mixed scripts), and Harbor's rule: 1 to
255 characters without , " ~ # % $.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

import precis_i18n

from authsvc.core.errors import BadRequest
from authsvc.core.text import is_seen

MAX_LENGTH = 255
ROBOT_ALIAS = "robot-"  # robots log in by such names, too, until the prefix is changed; see `robots.rules.alias_prefix`
# `docker login -u oidc` of CI jobs; "anonymous" in explanations; what docker writes where a token stands for a password; paths.
RESERVED = frozenset({"oidc", "anonymous", "<token>", "current", "search"})
_OURS = "tidegate-"  # our own accounts
# Beside Harbor's: ":" (Basic authentication splits there), blanks and what cannot be seen.
_FORBIDDEN = re.compile(r'[,"~#%$:\s\x00-\x1f\x7f]')
_PROFILE = precis_i18n.get_profile("UsernameCasePreserved")
# Scripts that are written together; anything else beside each other is a letter that looks like another one.
_TOGETHER = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)


def key(name: str) -> str:
    """The form in which two names are the same name."""
    return unicodedata.normalize("NFKC", name).casefold()


def robot_alias(prefix: str) -> str:
    """What robots' shell-safe names begin with, as `key` has it."""
    return key(prefix.replace("$", "-"))


def check_chosen(name: str, robot_prefix: str) -> None:
    """What we ask of names that are given here.

    Raises:
        BadRequest: as `check_given`, `check_free`.
    """
    check_given(name)
    check_free(name, robot_prefix)


def check_free(name: str, robot_prefix: str) -> None:
    """
    Raises:
        BadRequest: it is, or looks like, the name of what is no person.
    """
    alias = robot_alias(robot_prefix)
    if key(name).startswith((ROBOT_ALIAS, alias)):
        raise BadRequest(f"names that begin with {ROBOT_ALIAS} or {alias} are robots' names")
    if key(name) in RESERVED or key(name).startswith(_OURS):
        raise BadRequest(f"{name} is not for people: machines log in by that name, or nobody")


def check_storable(name: str) -> None:
    """
    Raises:
        BadRequest: it has characters that no name can have here, or too many.
    """
    if not 1 <= len(name) <= MAX_LENGTH or _FORBIDDEN.search(name) or not is_seen(name):
        raise BadRequest('a user name has 1 to 255 characters, no blanks and none of , " ~ # % $ :')


def check_given(name: str) -> None:
    """
    Raises:
        BadRequest: it has another form, nothing to read in it, or letters of scripts that are not written together.
    """
    check_storable(name)
    try:
        canonical = _PROFILE.enforce(name)
    except UnicodeEncodeError as error:
        raise BadRequest(f"a user name cannot hold {error.object[error.start : error.end]!a} (RFC 8265)") from None
    if canonical != name:
        raise BadRequest(f"write the user name as {canonical}")
    if not any(character.isalnum() for character in name):
        raise BadRequest("a user name has a letter or digit")
    scripts = {unicodedata.name(character, "?").split()[0] for character in name if character.isalpha()}
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        raise BadRequest(f"a user name has no letters of several scripts ({', '.join(sorted(scripts))}): they look alike")


def fitted(name: str, robot_prefix: str) -> str:
    """The name of somebody from a directory or provider as we can use it, the same each time: `_` for what it cannot have."""
    name = unicodedata.normalize("NFC", name)
    shown = "".join(character if is_seen(f"x{character}x") and not _FORBIDDEN.match(character) else "_" for character in name)
    shown = re.sub("_{2,}", "_", shown)[:MAX_LENGTH].strip("_") if shown != name else shown[:MAX_LENGTH]
    if not shown:
        return ""
    try:
        check_free(shown, robot_prefix)
    except BadRequest:
        return f"user-{shown}"[:MAX_LENGTH]
    return shown


def apart(name: str, subject: str) -> str:
    """That name with something of its own, where another person has it as well."""
    own = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{name[: MAX_LENGTH - 7]}-{own}"
