"""The catalogues of the pages' languages beside what templates and pages say; run as a program it brings them up to date."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

import authsvc
from authsvc.ui.language import LANGUAGES

ROOT = Path(authsvc.__file__).parent
TRANSLATIONS = ROOT / "ui" / "translations"
TRANSLATED = sorted(set(LANGUAGES.values()) - {"en"})


def said() -> Catalog:
    """All texts of templates and pages."""
    with (TRANSLATIONS / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = Catalog()
    for _, _, message, comments, context in extract_from_dir(str(ROOT), methods, options):
        found.add(message, None, auto_comments=comments, context=context)
    return found


def catalogue(locale: str) -> Catalog:
    """A language's texts."""
    return read_po(BytesIO((TRANSLATIONS / f"{locale}.po").read_bytes()), locale=locale, abort_invalid=True)


def texts(of: Catalog) -> set[str]:
    """The English texts of a catalogue, plurals as well."""
    return {part for one in of if one.id for part in ([one.id] if isinstance(one.id, str) else one.id)}


def main() -> None:
    """Put new texts into each catalogue, untranslated, and take out what nobody says any more."""
    template = said()
    for locale in TRANSLATED:
        file = TRANSLATIONS / f"{locale}.po"
        head = file.read_text().partition("\n\n")[0]
        known = catalogue(locale)
        known.update(template, no_fuzzy_matching=True)
        written = BytesIO()
        write_po(written, known, width=1000, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
        file.write_text(f"{head}\n\n{written.getvalue().decode().strip()}\n")


if __name__ == "__main__":
    main()
