"""Types of one prompt and one response: the exact text of each, and what of it is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config.schema.dataset_type import TYPES
from ft_core.data import Sample
from ft_core.data.formats import FORMATS
from ft_core.data.formats.instructions import RECIPES

IN = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request."
)
NO_IN = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
CONCISE_IN = (
    "Below is an instruction from a USER that describes a task, paired with an input that provides further context. "
    "The ASSISTANT writes a response that concisely and appropriately completes the request.\n\n"
)
CONCISE_NO_IN = (
    "Below is an instruction from a USER that describes a task. "
    "The ASSISTANT writes a response that appropriately and concisely completes the request.\n\n"
)
CONTEXT = "Use the following contextual information to concisely answer the question.\n"
CHOOSE = "Choose the answer that best answers the question. Explain your reasoning.\n"
CHOOSE_BRIEFLY = "Choose the answer that best answers the question. Be concise in your response.\n\n"
CREATIVE = (
    "Answer the following question in a comprehensive, in-depth, and creative way. Additionally your response should be "
    "relevant, accurate, and free of any ambiguity."
)
UNKNOWN = (
    "The context provided does not contain any information about your inquiry. "
    "Therefore, I'm unable to answer your question based on the given context."
)

TASK = {"instruction": "Add.", "input": "", "output": "4"}
TASK_IN = {"instruction": "Add.", "input": "2 {x}", "output": "4"}
SYSTEM = {**TASK, "system": "Be brief."}
ORCA = {"system_prompt": "Be brief.", "question": "Why?", "response": "So."}
CHOICE = {"question": "Fruit?", "choices": ["car", "fig"], "solution": "Fig.", "explanation": "Figs grow."}
HI = {"instruction": "Hi", "input": "there", "output": "Yo"}

# type, row, prompt, response
TEXTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("alpaca", TASK, f"{NO_IN}\n\n### Instruction:\nAdd.\n\n### Response:\n", "4"),
    ("alpaca", TASK_IN, f"{IN}\n\n### Instruction:\nAdd.\n\n### Input:\n2 {{x}}\n\n### Response:\n", "4"),
    ("alpaca:instruct", TASK, f"{NO_IN}\n\n### Instruction:\nAdd.\n\n### Response:\n", "4"),
    ("alpaca:chat", TASK, f"SYSTEM: {NO_IN}\nUSER: Add.\nASSISTANT:", "4"),
    ("alpaca:chat", TASK_IN, f"SYSTEM: {IN}\nUSER: Add.\n2 {{x}}\nASSISTANT:", "4"),
    ("alpaca:chatml", TASK,
     f"<|im_start|>system\n{NO_IN}<|im_end|>\n<|im_start|>user\nAdd.<|im_end|>\n<|im_start|>assistant\n", "4"),
    ("alpaca:chatml", TASK_IN,
     f"<|im_start|>system\n{IN}<|im_end|>\n<|im_start|>user\nAdd.\n2 {{x}}<|im_end|>\n<|im_start|>assistant\n", "4"),
    ("alpaca:phi", TASK, f"<|system|>\n{NO_IN}<|end|>\n<|user|>\nAdd.<|end|>\n<|assistant|>\n", "4"),
    ("alpaca:phi", TASK_IN, f"<|system|>\n{IN}<|end|>\n<|user|>\nAdd.<|end|>2 {{x}}<|assistant|>", "4"),
    ("alpaca_chat", TASK, f"SYSTEM: {NO_IN}\nUSER: Add.\nASSISTANT:", "4"),
    ("alpaca_chat.load_concise", TASK, f"SYSTEM: {CONCISE_NO_IN}\nUSER: Add.\nASSISTANT:", "4"),
    ("alpaca_chat.load_concise", TASK_IN, f"SYSTEM: {CONCISE_IN}\nUSER: Add.\n2 {{x}}\nASSISTANT:", "4"),
    ("alpaca_chat.load_qa", {"question": "Why?", "answer": "So."},
     f"SYSTEM: {CONCISE_NO_IN}\nUSER: Why?\nASSISTANT:", "So."),
    ("alpaca_chat.load_camel_ai", {"message_1": "Why?", "message_2": "So."},
     f"SYSTEM: {CONCISE_NO_IN}\nUSER: Why?\nASSISTANT:", "So."),
    ("alpaca_chat.load_no_prompt", TASK_IN, "USER: Add.\n2 {x}\nASSISTANT:", "4"),
    ("alpaca_instruct", TASK, f"{NO_IN}\n\n### Instruction:\nAdd.\n\n### Response:\n", "4"),
    ("alpaca_instruct.load_no_prompt", TASK, "### Instruction:\nAdd.\n\n### Response:\n", "4"),
    ("alpaca_w_system", SYSTEM, "SYSTEM: Be brief.\nUSER: Add.\nASSISTANT:", "4"),
    ("alpaca_w_system", {**SYSTEM, "system": ""}, "USER: Add.\nASSISTANT:", "4"),
    ("alpaca_w_system.load_chat", SYSTEM, "SYSTEM: Be brief.\nUSER: Add.\nASSISTANT:", "4"),
    ("alpaca_w_system.load_instruct", SYSTEM, "Be brief.\n\n### Instruction:\nAdd.\n\n### Response:\n", "4"),
    ("alpaca_w_system.load_open_orca", ORCA, "### System:\nBe brief.\n### Human:\nWhy?\n### Assistant:\n", "So."),
    ("alpaca_w_system.load_open_orca_chatml", ORCA,
     "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n", "So."),
    ("orcamini", ORCA, "### System:\nBe brief.\n\n### User:\nWhy?\n\n### Response:\n", "So."),
    ("orcamini", {**ORCA, "system_prompt": None}, "### System:\n\n\n### User:\nWhy?\n\n### Response:\n", "So."),
    ("gpteacher", {"instruction": "Add.", "input": "2", "response": "4"},
     f"{IN}\n\n### Instruction:\nAdd.\n\n### Input:\n2\n\n### Response:\n", "4"),
    ("gpteacher:chat", {"instruction": "Add.", "response": "4"}, f"SYSTEM: {NO_IN}\nUSER: Add.\nASSISTANT:", "4"),
    ("oasst", {"INSTRUCTION": "Add.", "RESPONSE": "4"},
     f"{NO_IN}\n\n### Instruction:\nAdd.\n\n### Response:\n", "4"),
    ("oasst:phi", {"INSTRUCTION": "Add.", "RESPONSE": "4"},
     f"<|system|>\n{NO_IN}<|end|>\n<|user|>\nAdd.<|end|>\n<|assistant|>\n", "4"),
    ("jeopardy", {"question": "Long river", "category": "MAPS", "answer": "the Nile"},
     f"{IN}\n\n### Instruction:\nLong river\n\n### Input:\nMAPS\n\n### Response:\n", "what is the Nile"),
    ("explainchoice", CHOICE,
     f'{CHOOSE}\n\n### Instruction:\nFruit?\n\n### Input:\n- "car"\n- "fig"\n\n### Response:\n', "Fig."),
    ("explainchoice:chat", {**CHOICE, "solution": None},
     f'SYSTEM: {CHOOSE}\nUSER: Fruit?\n- "car"\n- "fig"\nASSISTANT:', "Figs grow."),
    ("concisechoice", CHOICE, f'{CHOOSE_BRIEFLY}USER: Fruit?\n- "car"\n- "fig"\nASSISTANT:', "Fig."),
    ("concisechoice:chatml", CHOICE, f'{CHOOSE_BRIEFLY}USER: Fruit?\n- "car"\n- "fig"\nASSISTANT:', "Fig."),
    ("summarizetldr", {"article": "Long.", "summary": "Short."},
     "USER: Summarize the following article as a TL;DR.\nLong.\nASSISTANT:", "Short."),
    ("summarizetldr:instruct", {"article": "Long.", "summary": "Short."},
     "USER: Summarize the following article as a TL;DR.\nLong.\nASSISTANT:", "Short."),
    ("context_qa", {"article": "Text.", "question": "Why?", "answer": "So."},
     f"SYSTEM: {CONTEXT}\nUSER: Text.\n===\nWhy?\nASSISTANT:", "So."),
    ("context_qa.load_404", {"article": "Text.", "unanswerable_question": "Why?"},
     f"SYSTEM: {CONTEXT}\nUSER: Text.\n===\nWhy?\nASSISTANT:", UNKNOWN),
    ("context_qa.load_v2", {"context": "Text.", "question": "Why?", "answer": "So."},
     "Context: Text.\nQuestion: Why?\n", "Answer: So."),
    ("creative_acr.load_answer", {"instruction": "Why?", "revision": "So."},
     f"{CREATIVE}\nUSER: Why?\nASSISTANT:", "So."),
    ("reflection", {"instruction": "Add.", "output": "3", "reflection": "No.", "corrected": "4"},
     "### Instruction:\nAdd.\n\n### Response:\n",
     "### Thought:\n3\n\n### Agent Reflection:\nNo.\n\n### Final Response:\n4"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "row", "prompt", "response"), TEXTS)
def test_text_of_prompt_and_response(
    kind: str, row: dict[str, Any], prompt: str, response: str, parts: Callable[..., Any]
) -> None:
    assert parts(kind, row) == [
        (prompt, "prompt", False),
        (response, "response", True),
        ("<|im_end|>", "response", True),
    ]


@pytest.mark.parametrize(("kind", "row", "prompt", "response"), TEXTS)
def test_train_on_inputs_trains_all_of_it(
    kind: str, row: dict[str, Any], prompt: str, response: str, samples: Callable[..., list[Sample]]
) -> None:
    [sample] = samples(kind, row, train_on_inputs=True)

    assert sample.labels.tolist() == sample.input_ids.tolist()


def test_every_recipe_has_its_text_here() -> None:
    without_style = {kind for kind in RECIPES if ":" not in kind} - {"metharme"}
    assert without_style <= {kind for kind, *_ in TEXTS}


def test_every_name_that_a_config_takes_is_a_format() -> None:
    assert sorted([*TYPES, ""]) == sorted(FORMATS)


def test_metharme_ends_in_three_eos(samples: Callable[..., list[Sample]], tokenizer: Any) -> None:
    row = {"prompt": "<|user|>Hi<|model|>", "generation": "Yo"}
    ended = {**row, "generation": "Yo<|im_end|>"}
    [plain, closed] = samples("metharme", row, ended)

    for sample in (plain, closed):
        assert tokenizer.decode(sample.labels[sample.labels >= 0]) == "Yo" + "<|im_end|>" * 3
        assert sample.spans[0].text == "<|user|>Hi<|model|>"


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("alpaca", {"instruction": "Add.", "output": None}),
        ("jeopardy", {"question": "River", "category": "MAPS", "answer": ""}),
        ("context_qa.load_v2", {"context": "a", "question": "b", "answer": None}),
        ("explainchoice", {**CHOICE, "solution": "", "explanation": None}),
        ("reflection", {"instruction": "Add.", "output": "3", "reflection": "", "corrected": "4"}),
    ],
)
def test_nothing_to_learn_trains_nothing(
    kind: str, row: dict[str, Any], samples: Callable[..., list[Sample]]
) -> None:
    [sample] = samples(kind, row)

    assert sample.trained == 0
    assert {span.role for span in sample.spans} == {"prompt"}


@pytest.mark.parametrize(
    ("kind", "row", "missing"),
    [
        ("alpaca", {"instruction": "a"}, "output"),
        ("alpaca_w_system", {"instruction": "a", "output": "b"}, "system"),
        ("orcamini", {"question": "a", "response": "b"}, "system_prompt"),
        ("jeopardy", {"question": "a", "answer": "b"}, "category"),
        ("explainchoice", {"question": "a", "solution": "b"}, "choices"),
        ("context_qa.load_404", {"article": "a"}, "unanswerable_question"),
        ("reflection", {"instruction": "a", "output": "b", "reflection": "c"}, "corrected"),
    ],
)
def test_a_column_that_is_not_there_is_named(
    kind: str, row: dict[str, Any], missing: str, fault: Callable[..., tuple[str, str]]
) -> None:
    message, fix = fault(kind, row, row)

    columns = ", ".join(map(repr, row))
    assert message == (
        f"some/rows, rows 1 to 2: there is no field '{missing}', which type: {kind} needs; the fields are {columns}."
    )
    assert fix == "Choose the type that fits these rows, or name the field in the dataset's options."


def test_rows_that_are_tokenized_already_are_recognised(fault: Callable[..., tuple[str, str]]) -> None:
    row = {"input_ids": [1], "labels": [1]}
    assert fault("alpaca", row, row)[1] == "Leave the type empty ('type:'): these rows are tokenized already."


@pytest.mark.parametrize(
    ("kind", "good", "wrong", "message"),
    [
        ("alpaca", HI, {**HI, "output": ["Yo"]}, "'output' must be text, not a list."),
        ("alpaca", HI, {**HI, "instruction": {"a": 1}}, "'instruction' must be text, not an object."),
        ("explainchoice", CHOICE, {"question": "a", "choices": ["b"]},
         "There is no field 'solution' nor 'explanation' to learn."),
    ],
)  # fmt: skip
def test_a_row_that_makes_no_sense_is_named(
    kind: str,
    good: dict[str, Any],
    wrong: dict[str, Any],
    message: str,
    fault: Callable[..., tuple[str, str]],
) -> None:
    assert fault(kind, good, wrong)[0] == f"some/rows, row 2: {message}"


def test_a_number_is_written_out(parts: Callable[..., Any]) -> None:
    assert parts("alpaca", {"instruction": "Add.", "output": 4})[1] == ("4", "response", True)
