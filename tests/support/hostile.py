"""Two hundred texts that want to be something else than text, where they are shown: each way out of where they may stand, before each
thing that a browser would do, and words that templates, translations and terminals take for their own."""

from __future__ import annotations

_OUT = ("", '">', "'>", "</title>", "</textarea>", "</script>", "-->", "]]>", "</pre>", "</option></select>")
_DEEDS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc=x></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "<style>*{display:none}</style>",
    "<base href=//example.com>",
    "<meta http-equiv=refresh content=0>",
    "<form action=//example.com><input name=a>",
    "<details open ontoggle=alert(1)>",
    "<object data=x></object>",
    "<embed src=x>",
    "<math><mtext></math>",
    "<video><source onerror=alert(1)>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<link rel=stylesheet href=//example.com>",
)
_WORDS = (
    "{{ 7 * 7 }}",
    "{% include 'x' %}",
    "{# gone #}",
    "%(user)s",
    "%s %d %",
    "${7*7}",
    "#{7*7}",
    "&lt;b&gt;",
    "&#60;b&#62;",
    "\u202eabc",
    "\u200b\u200d",
    "a\u0300" * 20,
    "'; DROP TABLE users; --",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "//example.com",
    "../../../etc/passwd",
    "\\",
    "`id` $(id)",
    "=1+1",
    "😀" * 10,
    "ﷺ" * 20,
    "\uff21\uff22\uff23",
    "null",
    "undefined",
    "0",
    "a" * 128,
    "<",
    ">",
)
TEXTS = tuple(f"{out}{deed}" for out in _OUT for deed in _DEEDS) + _WORDS
