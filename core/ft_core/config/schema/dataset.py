"""Keys of one dataset: where its rows are, what they hold and which of their tokens are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field, PrivateAttr

from ft_core.config.schema.dataset_type import TYPE_CHOICE, FunctionSource, PromptFormat
from ft_core.config.schema.tokenizer import TEMPLATE_CHOICE
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import (
    Choice,
    Flag,
    Number,
    PathText,
    Planned,
    Text,
    TextList,
    TextListMap,
    TextMap,
    Whole,
    rejected,
)
from ft_core.config.tables import Table

FileType = Literal["json", "jsonl", "csv", "parquet", "arrow", "text"]
TrainOn = Literal["turn", "all", "last", "none"]

TRAIN_ON_CHOICE = Choice(get_args(TrainOn))

SAME_NAMES = (("role", "role"), ("content", "content"))

ROLES = Planned("use 'roles', such as 'roles: {user: [human], assistant: [gpt]}'")


@dataclass(frozen=True)
class Separator(Text):
    """Text that may be white space alone, such as a line break."""

    def check(self, value: object) -> str:
        """Return the text."""
        return value if isinstance(value, str) and value.isspace() else super().check(value)


@dataclass(frozen=True)
class ConfigurationName(Text):
    """The name of a hub dataset's configuration; a list of them has become an entry for each."""

    def check(self, value: object) -> str:
        """Return the name."""
        if isinstance(value, (list, tuple)):
            raise rejected("must be text, or a list of nothing but text", "write [en, fr]")
        return super().check(value)


class Dataset(Topic):
    """One source of rows, and how a row becomes ids and labels."""

    path: Annotated[str, PathText()]
    """Where the rows are: a file (.jsonl, .json, .csv, .parquet, .arrow, .txt; compressed too), a folder of such files, an
    address (``https://`` of a file; ``s3://``, ``gs://``, ``az://``, ``hf://`` of a file or folder), or the name of a
    dataset on the Hugging Face hub; in a notebook also ``$name``, a variable that holds rows: a DataFrame, a list of
    dicts, a datasets.Dataset. Example: ``path: rows.jsonl``."""

    type: Annotated[str | PromptFormat | FunctionSource, TYPE_CHOICE]
    """What a row holds: ``chat_template`` (a list of messages), ``alpaca`` (instruction, input, output), ``completion``
    (plain text, all of it trained) or another of the dataset formats; a map that spells a format out; a function that
    reads a row, as ``my_module.my_function`` or ``rows.py:my_function``, in a notebook also ``$my_function``; or nothing,
    where rows hold input_ids and labels. Example: ``type: chat_template``."""

    name: Annotated[str | None, ConfigurationName()] = None
    """Which configuration of a hub dataset; a list stands for an entry for each of them. Default: its only one.
    Example: ``name: en``."""

    split: Annotated[str, Text()] = "train"
    """Which split of the dataset; slices such as ``train[:100]`` or ``train[:10%]`` work.
    Example: ``split: train[:10%]``."""

    data_files: Annotated[tuple[str, ...] | None, TextList(single=True)] = None
    """Which files of the folder or hub dataset, by names or by patterns such as ``part-*.jsonl``; one or a list.
    Default: all. Example: ``data_files: [part-1.jsonl, part-2.jsonl]``."""

    ds_type: Annotated[FileType | None, Choice(get_args(FileType))] = None
    """What kind of files these are: ``json`` or ``jsonl``, ``csv``, ``parquet``, ``arrow``, ``text``. Default: what the
    file's suffix says. Example: ``ds_type: json``."""

    revision: Annotated[str | None, Text()] = None
    """Branch, tag or commit of a hub dataset. Default: the newest. Example: ``revision: main``."""

    trust_remote_code: Annotated[bool | None, Flag()] = None
    """Whether Python code that comes with a hub dataset may run on this machine. Version 4 and newer of the datasets
    library never run it, whatever this says. Example: ``trust_remote_code: true``."""

    weight: Annotated[float, Number(above=0, maximum=1)] = 1.0
    """Share of this dataset's rows that is used, chosen by seed; rounded down, but one row at least.
    Example: ``weight: 0.5``."""

    shards: Annotated[int | None, Whole(minimum=1)] = None
    """Into how many parts the rows are cut after they were shuffled by seed; shards_idx names the one that is used.
    Example: ``shards: 10``."""

    shards_idx: Annotated[int | None, Whole(minimum=0)] = None
    """Which of the shards is used, counted from 0. Default: the first. Example: ``shards_idx: 0``."""

    preprocess_shards: Annotated[int | None, Whole(minimum=1)] = None
    """In Axolotl, into how many parts the dataset is cut to be tokenized one after the other, which takes less memory. Here
    rows are always tokenized a few hundred at a time, so it changes nothing. Example: ``preprocess_shards: 10``."""

    field: Annotated[str, Text()] = "text"
    """For ``completion``: the column that holds the text. Example: ``field: body``."""

    text_column: Annotated[str, Text()] = "text"
    """For ``pretrain``: the column that holds the text. Example: ``text_column: body``."""

    skip: Annotated[int | None, Whole(minimum=0)] = None
    """For streamed data: how many rows at the beginning are passed over. Example: ``skip: 1000``."""

    field_messages: Annotated[str, Text()] = "messages"
    """For ``chat_template``: the column that holds the list of messages. Example: ``field_messages: conversations``."""

    message_property_mappings: Annotated[dict[str, str], TextMap(SAME_NAMES)] = Field(
        default_factory=lambda: dict(SAME_NAMES)
    )
    """For ``chat_template``: which property of a message (right) is what the template reads (left), such as
    ``role: from``. ``role`` and ``content`` map to themselves where they are not named.
    Example: ``message_property_mappings: {role: from, content: value}``."""

    roles: Annotated[dict[str, tuple[str, ...]], TextListMap()] = Field(
        default_factory=lambda: {
            "user": ("human", "user"),
            "assistant": ("gpt", "assistant"),
            "system": ("system",),
            "tool": ("tool",),
        }
    )
    """For ``chat_template``: names of roles in the data (right) for each role of the template (left). Replaces the
    default map; a role that is not named passes as it is. Example: ``roles: {user: [human], assistant: [gpt, bot]}``."""

    roles_to_train: Annotated[tuple[str, ...], TextList()] = ("assistant",)
    """For ``chat_template``: whose messages are trained on. An empty list, where no message says anything itself: the last
    message of each conversation, with all that follows its prompt. Example: ``roles_to_train: [assistant, tool]``."""

    train_on_eos: Annotated[TrainOn, TRAIN_ON_CHOICE] = "turn"
    """For ``chat_template``: after which turns the EOS token is trained: ``turn`` (the trained ones), ``all``, ``last``
    (the last one) or ``none``. Example: ``train_on_eos: last``."""

    train_on_eot: Annotated[TrainOn | None, TRAIN_ON_CHOICE] = None
    """For ``chat_template``: the same for the tokens of eot_tokens. Default: as train_on_eos.
    Example: ``train_on_eot: all``."""

    message_field_training: Annotated[str | None, Text()] = None
    """For ``chat_template``: the property of a message that says, true or false, whether it is trained on; overrides
    roles_to_train. Default: no such property. Example: ``message_field_training: train``."""

    message_field_training_detail: Annotated[str | None, Text()] = None
    """For ``chat_template``: the property of a message that lists which of its characters are trained on: maps of
    begin_offset, end_offset (both counted from 0, the end included) and train.
    Example: ``message_field_training_detail: train_detail``."""

    drop_system_message: Annotated[bool | None, Flag()] = None
    """For ``chat_template``: whether the system message of each conversation is left out.
    Example: ``drop_system_message: true``."""

    chat_template: Annotated[str | None, TEMPLATE_CHOICE] = None
    """For ``chat_template``: this dataset's own template. Default: the config's chat_template.
    Example: ``chat_template: chatml``."""

    chat_template_jinja: Annotated[str | None, PathText()] = None
    """For ``chat_template``: this dataset's own template as Jinja text, or the path of a file that holds it.
    Example: ``chat_template_jinja: template.jinja``."""

    field_tools: Annotated[str | None, Text()] = None
    """For ``chat_template``: the column that lists the tools which the model may call. Default: tools.
    Example: ``field_tools: functions``."""

    field_thinking: Annotated[str | None, Text()] = None
    """For ``chat_template``: the property of a message that holds the reasoning before its answer. Default:
    reasoning_content. Example: ``field_thinking: thoughts``."""

    template_thinking_key: Annotated[str | None, Text()] = None
    """For ``chat_template``: under which name the template reads the reasoning. Default: reasoning_content.
    Example: ``template_thinking_key: thinking``."""

    split_thinking: Annotated[bool | None, Flag()] = None
    """For ``chat_template``: whether reasoning that begins an answer between ``<think>`` and ``</think>`` (or ``<reasoning>``,
    or ``<|begin_of_thought|>``) is handed to the template apart from it. Example: ``split_thinking: true``."""

    input_transform: Annotated[Literal["chat"], Choice(("chat",))] = "chat"
    """For ``messages``: how a row becomes messages. Example: ``input_transform: chat``."""

    input_format: Annotated[str | None, Text(), Planned()] = None
    """In older configs: a name for how the rows are written. Example: ``input_format: text``."""

    field_human: Annotated[str | None, Text(), ROLES] = None
    """In older configs: the role that the person has in the data. Example: ``field_human: human``."""

    field_model: Annotated[str | None, Text(), ROLES] = None
    """In older configs: the role that the model has in the data. Example: ``field_model: gpt``."""

    field_chosen: Annotated[str | None, Text()] = None
    """For preference data: the column with the better answer. Default: chosen. Example: ``field_chosen: winner``."""

    field_rejected: Annotated[str | None, Text()] = None
    """For preference data: the column with the worse answer. Default: rejected. Example: ``field_rejected: loser``."""

    step_separator: Annotated[str, Separator()] = "\n"
    """For ``stepwise_supervised``: what ends each step of an answer; its last token has the step's label.
    Example: ``step_separator: '<step>'``."""

    max_completion_length: Annotated[
        int | None,
        Whole(minimum=1),
        Planned("remove it: excess_length_strategy says what becomes of long samples"),
    ] = None
    """For ``stepwise_supervised``: how many tokens of an answer are kept. Default: all.
    Example: ``max_completion_length: 1024``."""

    train_on_last_step_only: Annotated[bool, Flag()] = False
    """For ``stepwise_supervised``: whether only the last step of an answer has a label.
    Example: ``train_on_last_step_only: true``."""

    logprobs_field: Annotated[str | None, Text(), Planned("remove it: no teacher model is distilled")] = None
    """For distillation: the column with the teacher's log probabilities. Example: ``logprobs_field: logprobs``."""

    temperature: Annotated[
        float | None, Number(above=0), Planned("remove it: no teacher model is distilled")
    ] = None
    """For distillation: the temperature at which the teacher's log probabilities were computed.
    Example: ``temperature: 1.0``."""

    _table: Table | None = PrivateAttr(default=None)

    @property
    def type_words(self) -> str:
        """Its type, for a sentence."""
        if isinstance(self.type, FunctionSource):
            return f"the function '{self.type.name}'"
        if isinstance(self.type, PromptFormat):
            return "the format under 'type'"
        return f"type: {self.type}" if self.type else "an empty type"

    @property
    def table(self) -> Table | None:
        """The rows themselves, where `path` is a notebook variable."""
        return self._table

    def with_table(self, table: Table | None) -> Dataset:
        """Return the same values with other rows, or with none but those at `path`."""
        dataset = self.model_copy()
        dataset._table = table
        return dataset


class PretrainingDataset(Topic):
    """One source of plain text that is streamed, never held whole."""

    path: Annotated[str, PathText()]
    """Where the rows are, as for datasets: a file, a folder, or the name of a dataset on the Hugging Face hub.
    Example: ``path: HuggingFaceFW/fineweb-edu``."""

    name: Annotated[str | None, Text()] = None
    """Which configuration of a hub dataset. Default: its only one. Example: ``name: sample-10BT``."""

    split: Annotated[str, Text()] = "train"
    """Which split of the dataset. Example: ``split: train``."""

    data_files: Annotated[tuple[str, ...] | None, TextList(single=True)] = None
    """Which files of the folder or hub dataset; one or a list. Default: all. Example: ``data_files: part-1.parquet``."""

    text_column: Annotated[str, Text()] = "text"
    """The column that holds the text. Example: ``text_column: body``."""

    type: Annotated[str, Text()] = "pretrain"
    """How rows become samples: ``pretrain`` (windows of sequence_len that overlap), ``completion`` (pieces that do not), or
    another type of datasets. Example: ``type: pretrain``."""

    skip: Annotated[int | None, Whole(minimum=0)] = None
    """How many rows at the beginning are passed over. Example: ``skip: 1000``."""

    trust_remote_code: Annotated[bool, Flag()] = False
    """Whether Python code that comes with the dataset may run on this machine, as for datasets.
    Example: ``trust_remote_code: true``."""
