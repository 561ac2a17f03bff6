"""Keys that say what is trained on and evaluated on, and how its rows are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from ft_core.config.problems import shown
from ft_core.config.schema.dataset import Dataset, PretrainingDataset
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import (
    Checked,
    Choice,
    Flag,
    Number,
    PathText,
    Planned,
    Text,
    Whole,
    rejected,
)

WHILE_TRAINING = Planned("use 'streaming: true', which tokenizes rows while training")
NOT_JOINED = Planned("use 'sample_packing: true', which fills rows with texts that do not see each other")
IN_PROCESS = Planned("remove it: batches are made in the training process")
IN_RANDOM_ORDER = Planned("remove it: samples are trained in random order")


@dataclass(frozen=True)
class PretrainingEntries(Checked):
    """A list of maps; one map, or one path, stands for a list of it."""

    def check(self, value: object) -> list[Any] | tuple[Any, ...]:
        """Return the list."""
        if isinstance(value, str):
            return [{"path": value}]
        if isinstance(value, dict):
            return [value]
        if isinstance(value, (list, tuple)):
            return cast("list[Any] | tuple[Any, ...]", value)
        raise rejected(f"must be {self.words}, not {shown(value)}", "begin each entry with '- '")

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a list of maps, one map, or one path"


class DataKeys(Topic):
    """What is trained on."""

    datasets: tuple[Dataset, ...]
    """What is trained on: a list, each entry with a ``path`` and a ``type``.
    Example: ``datasets: [{path: rows.jsonl, type: chat_template}]``."""

    test_datasets: tuple[Dataset, ...] = ()
    """What is evaluated on; entries as in datasets.
    Example: ``test_datasets: [{path: test.jsonl, type: chat_template}]``."""

    pretraining_dataset: Annotated[tuple[PretrainingDataset, ...], PretrainingEntries()] = ()
    """Plain text that is trained on as it is streamed: another way to write datasets of ``type: pretrain`` with ``streaming:
    true``. Such a run needs max_steps.
    Example: ``pretraining_dataset: [{path: HuggingFaceFW/fineweb-edu, name: sample-10BT}]``."""

    val_set_size: Annotated[float, Number(minimum=0)] = 0.0
    """How much of datasets is kept for evaluation: a share below 1, or a number of samples. Default 0: none.
    Example: ``val_set_size: 0.05``."""

    train_on_inputs: Annotated[bool, Flag()] = False
    """Whether the prompt is trained on as well: for ``alpaca`` all of it, for ``chat_template`` the contents of all
    messages. Example: ``train_on_inputs: true``."""

    broken_rows: Annotated[Literal["raise", "skip"], Choice(("raise", "skip"))] = "raise"
    """What becomes of a line or row that cannot be read, or does not fit its dataset's type: ``raise`` ends the run and
    names it; ``skip`` leaves it out, counts it and names the first ten. Example: ``broken_rows: skip``."""

    shuffle_merged_datasets: Annotated[bool, Flag()] = True
    """Whether the samples of all datasets are mixed (by seed) before the evaluation samples are taken off.
    Example: ``shuffle_merged_datasets: false``."""

    shuffle_before_merging_datasets: Annotated[bool, Flag()] = False
    """Whether the samples of each of several datasets are shuffled (by seed) before the datasets are joined. It says
    something where shuffle_merged_datasets is false. Example: ``shuffle_before_merging_datasets: true``."""

    dataset_exact_deduplication: Annotated[bool, Flag()] = False
    """Whether samples whose ids and labels are those of an earlier one are left out. A sample that is evaluated on is also
    left out where it is trained on.
    Example: ``dataset_exact_deduplication: true``."""

    group_by_length: Annotated[bool, Flag()] = False
    """Whether a step is made of samples of about the same length: less padding, and a loss that goes up and down.
    Example: ``group_by_length: true``."""

    curriculum_sampling: Annotated[bool, Flag(), IN_RANDOM_ORDER] = False
    """Whether samples are trained in the order of the data, such as easy ones first.
    Example: ``curriculum_sampling: true``."""

    dataset_prepared_path: Annotated[str | None, PathText()] = None
    """Folder that keeps tokenized data, so that a later run of the same data starts at once; an edited file or another
    setting is other data. Default: a folder in the user's cache that holds at most 20 GiB.
    Example: ``dataset_prepared_path: prepared``."""

    push_dataset_to_hub: Annotated[str | None, Text()] = None
    """Dataset on the Hugging Face hub that keeps tokenized data, private: ``ft preprocess`` puts it there, and whoever
    trains on the same data with the same settings takes it from there in place of tokenizing.
    Example: ``push_dataset_to_hub: my-name/prepared``."""

    hf_use_auth_token: Annotated[bool, Flag()] = False
    """In Axolotl, whether the token that ``hf auth login`` stored is sent to the hub. Here it is sent wherever the hub asks
    for one, so this changes nothing. Example: ``hf_use_auth_token: true``."""

    skip_prepare_dataset: Annotated[bool, Flag(), WHILE_TRAINING] = False
    """Whether rows are tokenized while training, batch by batch, as images need it.
    Example: ``skip_prepare_dataset: true``."""

    dataset_num_proc: Annotated[int | None, Whole(minimum=1)] = None
    """Processes that tokenize the data, at most; what takes a few seconds is done in one. Default: one for each processor
    core.
    Example: ``dataset_num_proc: 4``."""

    dataset_keep_in_memory: Annotated[bool, Flag()] = False
    """Whether tokenized data is read into memory before training, in place of being read from disk as it is needed.
    Example: ``dataset_keep_in_memory: true``."""

    dataset_shard_num: Annotated[int | None, Whole(minimum=1)] = None
    """Into how many parts the samples of all datasets are cut, once they are mixed, of which dataset_shard_idx names the one
    that is used. Example: ``dataset_shard_num: 4``."""

    dataset_shard_idx: Annotated[int | None, Whole(minimum=0)] = None
    """Which of the parts is used, counted from 0. Example: ``dataset_shard_idx: 0``."""

    streaming: Annotated[bool, Flag()] = False
    """Whether rows are read and tokenized while training, so that data which no disk or memory holds can be trained on; such
    a run needs max_steps. Example: ``streaming: true``."""

    streaming_multipack_buffer_size: Annotated[int, Whole(minimum=1)] = 10_000
    """About how many streamed samples are shuffled, and packed, together at a time.
    Example: ``streaming_multipack_buffer_size: 5000``."""

    pretrain_multipack_attn: Annotated[bool, Flag()] = True
    """Whether streamed samples that share a row are kept from attending to each other; here they always are.
    Example: ``pretrain_multipack_attn: true``."""

    pretraining_sample_concatenation: Annotated[bool, Flag(), NOT_JOINED] = False
    """Whether streamed samples are joined into long ones. Example: ``pretraining_sample_concatenation: true``."""

    remove_unused_columns: Annotated[
        bool | None, Flag(), Planned("remove it: the model gets the columns that it reads")
    ] = None
    """Whether columns that the model does not read are dropped before a batch is made; ``false`` where something else
    reads them, such as images. Default: true. Example: ``remove_unused_columns: false``."""

    dataloader_num_workers: Annotated[int | None, Whole(minimum=0), IN_PROCESS] = None
    """Processes that make batches beside the training process; 0: none. Default in Axolotl: one for each GPU.
    Example: ``dataloader_num_workers: 4``."""

    dataloader_prefetch_factor: Annotated[int | None, Whole(minimum=1), IN_PROCESS] = None
    """How many batches each of these processes makes ahead. Example: ``dataloader_prefetch_factor: 8``."""

    dataloader_pin_memory: Annotated[bool | None, Flag()] = None
    """Whether batches lie in pinned memory, from which they reach the GPU faster. Default: where there is an NVIDIA GPU.
    Example: ``dataloader_pin_memory: true``."""

    dataloader_drop_last: Annotated[
        bool, Flag(), Planned("remove it: the last batch of an epoch is trained on though it is smaller")
    ] = False
    """Whether the last batch of an epoch is left out when it is smaller than the others.
    Example: ``dataloader_drop_last: true``."""
