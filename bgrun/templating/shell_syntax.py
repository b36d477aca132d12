"""Keep shell text that resembles Jinja's syntax: `${#array}`, `${name%#}`, `printf '{%s}'`.

`{#` never begins a comment, and `{%` begins a statement only before a tag that Jinja knows. `{{` always begins an
expression; `{% raw %}` keeps one as text.
"""

from __future__ import annotations

import re

from jinja2.ext import Extension
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


def has_statement(text: str) -> bool:
    """Return whether a template has a statement, such as `{% if %}`."""
    return bool(re.search(_STATEMENT, text))


class ShellSyntax(Extension):
    """Hides each `{%` that begins no statement from Jinja's lexer, and restores it in what that finds."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        """Return a template with each such `{%` hidden."""
        return _TEXT.sub(_NO_STATEMENT, source)

    def filter_stream(self, stream: Iterable[Token]) -> Iterable[Token]:
        """Yield the tokens of a template as they were written."""
        for token in stream:
            hidden = isinstance(token.value, str) and _NO_STATEMENT in token.value
            yield Token(token.lineno, token.type, token.value.replace(_NO_STATEMENT, "{%")) if hidden else token
