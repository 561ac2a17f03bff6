"""The card of a key and the list of all keys."""

from __future__ import annotations

import re

from ft_core.config import KeyDoc, explain, explain_all
from ft_core.config.describe import describe, describe_topics
from ft_jupyter.key_card import KeyCard, KeyList


def cells(html: str) -> dict[str, str]:
    return dict(re.findall(r"<th[^>]*><span[^>]*>(.*?)</span></th><td[^>]*>(.*?)</td>", html))


def test_a_card_has_the_text_and_a_row_for_what_is_known() -> None:
    doc = explain("datasets.type")
    html = KeyCard(doc)._repr_html_()
    assert "<code>datasets.type</code>" in html
    assert "What a row holds: <code>chat_template</code> (" in html
    rows = cells(html)
    assert rows["one of"] == f"<code>{', '.join(doc.allowed)}</code>"
    assert rows["required"] == "yes"
    assert rows["topic"] == "data"
    assert rows["supported"] == "yes"
    assert "datasets.path" in rows["see also"]


def test_a_default_and_what_is_taken() -> None:
    rows = cells(KeyCard(explain("micro_batch_size"))._repr_html_())
    assert rows["takes"] == "a whole number, at least 1"
    assert rows["default"] == "<code>1</code>"


def test_a_key_that_only_axolotl_has_says_so() -> None:
    html = KeyCard(explain("grokfast_alpha"))._repr_html_()
    assert "A key of Axolotl that is not supported yet." in html
    assert cells(html)["supported"] == "not yet: remove it"


def test_as_text_a_card_is_what_the_terminal_shows() -> None:
    assert repr(KeyCard(explain("lora_r"))) == describe(explain("lora_r"))
    assert repr(KeyList()) == describe_topics()


def test_nothing_in_a_text_is_markup() -> None:
    doc = KeyDoc("k", "a <b> `<i>`", "k: <u>", "model", "<s>", (), "<p>", False)
    html = KeyCard(doc)._repr_html_()
    assert not re.search(r"<[bius]>", html)
    assert "a &lt;b&gt; <code>&lt;i&gt;</code>" in html
    assert "<code>k: &lt;u&gt;</code>" in html


def test_the_list_names_every_topic_and_every_key_at_the_top() -> None:
    html = KeyList()._repr_html_()
    for doc in explain_all():
        assert f"<strong>{doc.topic}</strong>" in html
        if not doc.holder:
            assert re.search(rf"\b{doc.key}\b", html), doc.key
