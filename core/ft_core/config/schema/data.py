"""Keys that say what is trained on and which of its tokens."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, PrivateAttr

from ft_core.config.schema.tokenizer import TEMPLATE_CHOICE, ChatTemplate
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import (
    Choice,
    Flag,
    Number,
    PathText,
    Text,
    TextList,
    TextListMap,
    TextMap,
    names,
)
from ft_core.config.tables import Table

DatasetType = Literal["chat_template", "alpaca", "completion"]
FileType = Literal["json", "jsonl", "csv", "parquet", "arrow", "text"]
TrainOn = Literal["turn", "all", "last", "none"]

PLANNED_TYPES = names(
    "alpaca:chat alpaca:chatml alpaca:instruct alpaca:phi alpaca_chat alpaca_chat.load "
    "alpaca_chat.load_camel_ai alpaca_chat.load_concise alpaca_chat.load_no_prompt alpaca_chat.load_qa "
    "alpaca_instruct.load alpaca_instruct.load_no_prompt alpaca_w_system alpaca_w_system.load_chat "
    "alpaca_w_system.load_instruct alpaca_w_system.load_open_orca alpaca_w_system.load_open_orca_chatml "
    "bradley_terry.chat_template concisechoice context_qa context_qa.load_404 context_qa.load_v2 "
    "creative_acr.load_answer creative_acr.load_critique creative_acr.load_revise explainchoice gpteacher "
    "input_output jeopardy llama2_chat messages metharme oasst orcamini pretrain pygmalion reflection "
    "stepwise_supervised summarizetldr _synthetic"
)

SHAREGPT_ADVICE = (
    "use 'type: chat_template' with 'field_messages: conversations' and "
    "'message_property_mappings: {role: from, content: value}'"
)

TYPE_CHOICE = Choice(
    get_args(DatasetType),
    PLANNED_TYPES,
    "use 'chat_template' (conversations), 'alpaca' (instruction, input, output) or 'completion' (plain text)",
    renamed=(("sharegpt", SHAREGPT_ADVICE),),
)
TRAIN_ON_CHOICE = Choice(get_args(TrainOn))

SAME_NAMES = (("role", "role"), ("content", "content"))


class Dataset(Topic):
    """One source of rows, and how a row becomes ids and labels."""

    path: Annotated[str, PathText()]
    """Where the rows are: a file (.jsonl, .json, .csv, .parquet, .arrow, .txt), a folder of such files, or the name of a
    dataset on the Hugging Face hub; in a notebook also ``$name``, a variable that holds rows: a DataFrame, a list of
    dicts, a datasets.Dataset."""

    type: Annotated[DatasetType, TYPE_CHOICE]
    """What a row holds: ``chat_template`` (a list of messages), ``alpaca`` (instruction, input, output) or
    ``completion`` (plain text, all of it trained)."""

    name: Annotated[str | None, Text()] = None
    """Which configuration of a hub dataset. Default: its only one."""

    split: Annotated[str, Text()] = "train"
    """Which split of the dataset; slices such as ``train[:100]`` or ``train[:10%]`` work."""

    data_files: Annotated[tuple[str, ...] | None, TextList(single=True)] = None
    """Which files of the folder or hub dataset; one name or a list. Default: all."""

    ds_type: Annotated[FileType | None, Choice(get_args(FileType))] = None
    """What kind of files these are: ``json`` or ``jsonl``, ``csv``, ``parquet``, ``arrow``, ``text``. Default: what the
    file's suffix says."""

    field: Annotated[str, Text()] = "text"
    """For ``completion``: the column that holds the text."""

    field_messages: Annotated[str, Text()] = "messages"
    """For ``chat_template``: the column that holds the list of messages."""

    message_property_mappings: Annotated[dict[str, str], TextMap(SAME_NAMES)] = Field(
        default_factory=lambda: dict(SAME_NAMES)
    )
    """For ``chat_template``: which property of a message (right) is what the template reads (left), such as
    ``role: from``. ``role`` and ``content`` map to themselves where they are not named."""

    roles: Annotated[dict[str, tuple[str, ...]], TextListMap()] = Field(
        default_factory=lambda: {
            "user": ("human", "user"),
            "assistant": ("gpt", "assistant"),
            "system": ("system",),
            "tool": ("tool",),
        }
    )
    """For ``chat_template``: names of roles in the data (right) for each role of the template (left). Replaces the
    default map; a role that is not named passes as it is."""

    roles_to_train: Annotated[tuple[str, ...], TextList()] = ("assistant",)
    """For ``chat_template``: whose messages are trained on."""

    train_on_eos: Annotated[TrainOn, TRAIN_ON_CHOICE] = "turn"
    """For ``chat_template``: after which turns the EOS token is trained: ``turn`` (the trained ones), ``all``, ``last``
    (the last one) or ``none``."""

    train_on_eot: Annotated[TrainOn | None, TRAIN_ON_CHOICE] = None
    """For ``chat_template``: the same for the tokens of eot_tokens. Default: as train_on_eos."""

    message_field_training: Annotated[str | None, Text()] = None
    """For ``chat_template``: the property of a message that says, true or false, whether it is trained on; overrides
    roles_to_train. Default: no such property."""

    chat_template: Annotated[ChatTemplate | None, TEMPLATE_CHOICE] = None
    """For ``chat_template``: this dataset's own template. Default: the config's chat_template."""

    chat_template_jinja: Annotated[str | None, PathText()] = None
    """For ``chat_template``: this dataset's own template as Jinja text, or the path of a file that holds it."""

    _table: Table | None = PrivateAttr(default=None)

    @property
    def table(self) -> Table | None:
        """The rows themselves, where `path` is a notebook variable."""
        return self._table

    def with_table(self, table: Table | None) -> Dataset:
        """Return the same values with other rows, or with none but those at `path`."""
        dataset = self.model_copy()
        dataset._table = table
        return dataset


class DataKeys(Topic):
    """What is trained on."""

    datasets: tuple[Dataset, ...]
    """What is trained on: a list, each entry with a ``path`` and a ``type``."""

    test_datasets: tuple[Dataset, ...] = ()
    """What is evaluated on; entries as in datasets."""

    val_set_size: Annotated[float, Number(minimum=0)] = 0.0
    """How much of datasets is kept for evaluation: a share below 1, or a number of samples. Default 0: none."""

    train_on_inputs: Annotated[bool, Flag()] = False
    """Whether the prompt is trained on as well: for ``alpaca`` all of it, for ``chat_template`` the contents of all
    messages."""

    shuffle_merged_datasets: Annotated[bool, Flag()] = True
    """Whether the samples of all datasets are mixed (by seed) before the evaluation samples are taken off."""

    dataset_prepared_path: Annotated[str | None, Text()] = None
    """Accepted, without effect: tokenized data is not kept on disk yet."""
