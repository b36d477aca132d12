"""Keep shell text that resembles Jinja's syntax: `${#array}`, `${name%#}`, `printf '{%s}'`.

`{#` never begins a comment, and `{%` begins a statement only before a tag that Jinja knows. `{{` always begins an
expression; `{% raw %}` keeps one as text.
"""

from __future__ import annotations

import re

from jinja2.lexer import Token

from bgrun.templating.placeholders import CLOSE, OPEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

COMMENT_BEGIN, COMMENT_END = f"{OPEN}#", f"#{CLOSE}"
"""What comments would begin and end with: characters that are refused in templates."""
LITERAL_HINT = "for a literal `{{` write {% raw %}{{…}}{% endraw %}"
_NO_STATEMENT = f"{CLOSE}{OPEN}"
_TAGS = (
    "autoescape block call elif else endautoescape endblock endcall endfilter endfor endif endmacro endraw endset"
    " endwith extends filter for from if import include macro print raw set with"
)
_STATEMENT = rf"\{{%[-+]?\s*(?:{_TAGS.replace(' ', '|')})\b"
_TEXT = re.compile(rf"(?!{_STATEMENT})\{{%")


def is_plain(text: str) -> bool:
    """Return whether a template is its own result."""
    return "{{" not in text and "\r" not in text and not ("{%" in text and has_statement(text))


def has_statement(text: str) -> bool:
    """Return whether a template has a statement, such as `{% if %}`."""
    return bool(re.search(_STATEMENT, text))


class ShellSyntax:
    """Hides each `{%` that begins no statement from Jinja's lexer, and restores it in what that finds.

    An extension of Jinja as far as it uses one: the base class is in a module that takes 2 ms to import.
    """

    identifier = "bgrun.shell_syntax"
    priority = 100
    tags: tuple[str, ...] = ()

    def __init__(self, environment: object) -> None:
        self.environment = environment

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        """Return a template with each such `{%` hidden."""
        return _TEXT.sub(_NO_STATEMENT, source)

    def filter_stream(self, stream: Iterable[Token]) -> Iterable[Token]:
        """Yield the tokens of a template as they were written."""
        for token in stream:
            hidden = isinstance(token.value, str) and _NO_STATEMENT in token.value
            yield Token(token.lineno, token.type, token.value.replace(_NO_STATEMENT, "{%")) if hidden else token
