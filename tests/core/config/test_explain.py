"""What a key means."""

from __future__ import annotations

import pytest

from ft_core.config import Config, Dataset, KeyDoc, SpecialTokens, explain, explain_all
from ft_core.config.explain import explain_topics, siblings
from ft_core.config.schema.dataset_type import TYPE_CHOICE
from ft_core.errors import FtError


def test_explain_a_choice():
    assert explain("excess_length_strategy") == KeyDoc(
        key="excess_length_strategy",
        text="What becomes of a sample longer than sequence_len: `drop` it, `truncate` it, or `raise` an error.",
        example="excess_length_strategy: truncate",
        topic="sequence",
        type="'drop', 'truncate' or 'raise'",
        allowed=("drop", "truncate", "raise"),
        default="drop",
        required=False,
    )


WATCHDOG = "The keys with that word: 'loss_watchdog_threshold', 'loss_watchdog_patience'."


@pytest.mark.parametrize(
    ("key", "words", "default", "required"),
    [
        ("base_model", "text", None, True),
        ("lora_r", "a whole number, at least 1", None, False),
        ("learning_rate", "a number, greater than 0", None, True),
        ("lora_dropout", "a number, at least 0 and less than 1", 0.0, False),
        ("trust_remote_code", "true or false", False, False),
        ("bf16", "true, false or 'auto'", "auto", False),
        ("eot_tokens", "a list of texts", None, False),
        ("lora_target_modules", "'all-linear', a list of texts or a regular expression", None, False),
        ("save_steps", "a whole number of steps, or a share of all steps below 1", None, False),
        ("optim_args", "a map", {}, False),
        ("datasets", "a list of maps", None, True),
        ("special_tokens", "a map", SpecialTokens(), False),
        (
            "datasets.message_property_mappings",
            "a map of texts",
            {"role": "role", "content": "content"},
            False,
        ),
        ("special_tokens.pad_token", "text", None, False),
    ],
)
def test_types_and_defaults(key, words, default, required):
    doc = explain(key)
    assert (doc.type, doc.default, doc.required) == (words, default, required)


@pytest.mark.parametrize("path", ["datasets.type", "datasets[0].type", "datasets[].type", " datasets.type "])
def test_a_key_inside_a_list(path):
    assert explain(path).key == "datasets.type"


@pytest.mark.parametrize(
    ("key", "message", "fix"),
    [
        ("sequense_len", "there is no key 'sequense_len'; did you mean 'sequence_len'?", ""),
        ("xyzzy", "there is no key 'xyzzy'", ""),
        ("watchdog", "there is no key 'watchdog'", WATCHDOG),
        ("fild_messages", "there is no key 'fild_messages'; did you mean 'field_messages'?", ""),
        ("bench_splitt", "there is no key 'bench_splitt'; did you mean 'bench_split'?", ""),
    ],
)
def test_no_such_key(key, message, fix):
    with pytest.raises(FtError) as caught:
        explain(key)
    assert (caught.value.message, caught.value.fix) == (message, fix)


def test_a_key_that_only_axolotl_has_is_known_as_such():
    doc = explain("grokfast_alpha")
    assert (doc.key, doc.topic, doc.type, doc.allowed) == ("grokfast_alpha", "", "what Axolotl takes", ())
    assert doc.text.startswith("A key of Axolotl that is not supported yet.")
    assert doc.instead == "remove it"


@pytest.mark.parametrize(
    ("key", "today"),
    [
        ("model_revision", "revision_of_model"),
        ("evaluation_strategy", "eval_strategy"),
        ("sdp_attention", "attn_implementation"),
    ],
)
def test_another_form_of_a_key_is_explained_as_that_key(key, today):
    doc, now = explain(key), explain(today)
    assert doc.key == today
    assert doc.text == f"{now.text} `{key}` is another form of it."


@pytest.mark.parametrize(
    ("key", "text", "instead"),
    [
        (
            "torch_dtype",
            "Axolotl has removed this key, and it is not supported.",
            "use 'bf16: true', 'fp16: true' or 'bf16: false'",
        ),
        (
            "is_llama_derived_model",
            "Accepted, without effect: the checkpoint itself says which family it belongs to.",
            None,
        ),
        ("gc_steps", "An older form: it is translated, and a warning says what to write now.", None),
    ],
)
def test_an_older_form_says_what_becomes_of_it(key, text, instead):
    doc = explain(key)
    assert (doc.key, doc.text, doc.instead) == (key, text, instead)


def test_names_that_are_not_supported_yet_are_apart_from_those_that_are():
    doc = explain("datasets.type")
    assert doc.allowed == TYPE_CHOICE.options
    assert doc.planned == TYPE_CHOICE.planned


def test_a_flag_allows_true_and_false():
    assert explain("train_on_inputs").allowed == ("true", "false")


@pytest.mark.parametrize(
    ("key", "is_path"), [("base_model", True), ("datasets.path", True), ("lora_r", False), ("seed", False)]
)
def test_a_path_is_known_as_one(key, is_path):
    assert explain(key).is_path is is_path


def test_what_a_key_holds_is_not_supported_where_the_key_is_not():
    docs = {doc.key: doc for doc in explain_all()}
    for doc in docs.values():
        if doc.holder and docs[doc.holder].instead is not None:
            assert doc.instead is not None, doc.key


def test_topics_come_in_the_order_of_a_config():
    topics = explain_topics()
    assert [topic.name for topic in topics][:3] == ["model", "tokenizer", "data"]
    assert all(topic.text for topic in topics)
    assert tuple(doc for topic in topics for doc in topic.keys) == explain_all()


def test_siblings_stand_at_the_same_level_of_the_same_topic():
    keys = [doc.key for doc in siblings(explain("special_tokens.pad_token"))]
    assert keys[:2] == ["special_tokens.bos_token", "special_tokens.eos_token"]
    assert "special_tokens.pad_token" not in keys
    assert all(doc.holder == "" for doc in siblings(explain("lora_r")))
    assert "lora_alpha" in [doc.key for doc in siblings(explain("lora_r"))]


def test_a_key_of_a_dataset_is_found_without_its_path():
    assert explain("field_messages").key == "datasets.field_messages"


def test_every_key_is_documented_once():
    docs = list(explain_all())
    keys = [doc.key for doc in docs]
    assert len(keys) == len(set(keys))
    assert {key for key in keys if "." not in key} == set(Config.model_fields)
    assert {key for key in keys if key.startswith("datasets.")} == {
        f"datasets.{key}" for key in Dataset.model_fields
    }
    assert keys[0] == "base_model"
    for doc in docs:
        assert doc.text.endswith("."), doc.key
        assert doc.type, doc.key
        assert "``" not in doc.text
