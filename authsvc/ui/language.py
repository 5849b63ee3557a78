"""The languages of the pages: catalogues of gettext, and how numbers, sizes and moments are written. What clients of the registry
print stays English, whoever reads it.

The source is English. Another language is one file, `translations/<locale>.po`, read when somebody first wants it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations
from flask import Flask, Response, current_app, g, has_request_context, request
from markupsafe import Markup, escape

from authsvc.core.clock import rfc3339
from authsvc.core.db import utcnow

# What a page says of itself (BCP 47) -> its catalogue's locale.
LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "en", "zh-CN": "zh_Hans_CN"})
NAMES: Mapping[str, str] = MappingProxyType({"en": "English", "zh-CN": "简体中文"})
COOKIE = "language"
A_YEAR = 365 * 24 * 3600  # seconds
_CATALOGUES = Path(__file__).parent / "translations"
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def init(app: Flask) -> None:
    """Let templates speak: `_("…")`, `{% trans %}`, and filters for what is no text."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    environment: Any = app.jinja_env
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)
    app.add_template_filter(size)
    app.add_template_filter(number)
    app.add_template_filter(moment)


def choose(response: Response, chosen: str) -> None:
    """Let a browser keep a language: no account has to be looked at for it."""
    secure = current_app.config["TIDEGATE"].external_url.startswith("https:")
    response.set_cookie(COOKIE, chosen, max_age=A_YEAR, httponly=True, samesite="Lax", secure=secure)


def current() -> str:
    """The language of this answer: the one that was chosen, or the first of the browser's that we speak."""
    if not has_request_context():
        return "en"
    if "language" not in g:
        chosen = request.cookies.get(COOKIE, "")
        g.language = chosen if chosen in LANGUAGES else _of_browser()
    language: str = g.language
    return language


def _of_browser() -> str:
    for wanted in request.accept_languages.values():
        for language in LANGUAGES:
            if wanted.lower().split("-")[0] == language.lower().split("-")[0]:
                return language
    return "en"


def gettext(text: str) -> str:
    """A text in the language of this answer."""
    return _catalogue(current()).gettext(text)


def ngettext(singular: str, plural: str, number: int) -> str:
    """The same for texts that depend on a number."""
    return _catalogue(current()).ngettext(singular, plural, number)


@cache
def _catalogue(language: str) -> NullTranslations:
    file = _CATALOGUES / f"{LANGUAGES[language]}.po"
    if not file.exists():
        return NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source))
    compiled.seek(0)
    return Translations(compiled)


def _locale() -> Locale:
    return Locale.parse(LANGUAGES[current()])


def number(value: float) -> str:
    """A number as people of that language write it."""
    return format_decimal(value, locale=_locale())


def size(value: int) -> str:
    """Bytes, such as `512 B` or `2.0 MiB`."""
    if value < 1024:
        return f"{value} B"
    scaled, unit = float(value), ""
    for unit in _UNITS:  # noqa: B007 - the last one tried is the one
        scaled /= 1024
        if scaled < 1024:
            break
    return f"{format_decimal(scaled, format='#,##0.0', locale=_locale())} {unit}"


def moment(value: datetime | None, to_come: bool = False) -> Markup:
    """How long ago that was, or is `to_come`, with the moment itself for who wants it exactly; a dash for what never was."""
    if value is None:
        return Markup("&ndash;")
    ago = value - utcnow() if to_come else min(value - utcnow(), timedelta())
    said = format_timedelta(ago, add_direction=True, locale=_locale())
    exact = f"{format_datetime(value, 'medium', locale=_locale())} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(rfc3339(value), exact, escape(said))
