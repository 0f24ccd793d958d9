"""From a question in anybody's words to an FTS5 expression. Pure."""

import re
from typing import Final

WORD: Final = re.compile(r"\w+")
MOST_WORDS: Final = 64
"""A question of more is cut: each word costs a look-up."""

STOP_WORDS: Final = frozenset(
    WORD.findall(
        "a about after all am an and any are as at be been before being but by can could did do does doing for from "
        "had has have having he her here hers him his how i if in into is it its just me my of on or our she should "
        "so some than that the their them then there these they this those to was we were what when where which who "
        "whom why will with would you your"
    )
)
"""They are in every other atom and say nothing; a question of nothing else keeps them."""


def expression_for(question: str) -> str | None:
    """Any of the question's words, each quoted so that none of FTS5's own signs has a meaning; `None` without words.

    OR, because a question rarely repeats all the words of its answer; BM25 puts those that share more of them first.
    """
    words = list(dict.fromkeys(word.lower() for word in WORD.findall(question)))
    telling = [word for word in words if word not in STOP_WORDS] or words
    if not telling:
        return None
    return " OR ".join(f'"{word}"' for word in telling[:MOST_WORDS])
