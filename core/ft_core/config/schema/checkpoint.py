"""Keys of what a run keeps: checkpoints and the tuned model."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, FreeMap, PathText, Planned, Steps, Text, Whole

SaveStrategy = Literal["epoch", "steps", "no"]
HubStrategy = Literal["end", "every_save", "checkpoint", "all_checkpoints"]

UPLOAD = Planned("remove it, and upload the run's folder 'final' when it is done")


class CheckpointKeys(Topic):
    """What is saved, when and where."""

    output_dir: Annotated[str | None, PathText()] = None
    """Folder that gets a copy of the tuned model. Default: only the run's own folder holds it.
    Example: ``output_dir: ./tuned``."""

    save_strategy: Annotated[SaveStrategy, Choice(get_args(SaveStrategy), ("best",))] = "epoch"
    """When checkpoints are saved: after each ``epoch``, every save_steps ``steps``, or ``no`` checkpoints. Default:
    ``steps`` where save_steps or saves_per_epoch is given, else ``epoch``. Example: ``save_strategy: steps``."""

    save_steps: Annotated[int | float | None, Steps()] = None
    """Optimizer steps between checkpoints, or their share of all steps. Example: ``save_steps: 100``."""

    saves_per_epoch: Annotated[int | None, Whole(minimum=0)] = None
    """Checkpoints in each epoch, in place of save_steps; 0: as if not given. Example: ``saves_per_epoch: 2``."""

    save_total_limit: Annotated[int | None, Whole(minimum=1)] = None
    """How many checkpoints are kept, the newest ones, and the best one for load_best_model_at_end. Default: all. Example: ``save_total_limit: 3``."""

    save_first_step: Annotated[bool, Flag()] = False
    """Whether a checkpoint is saved after the first step, to see early whether saving works.
    Example: ``save_first_step: true``."""

    save_only_model: Annotated[bool, Flag()] = False
    """Whether checkpoints hold the weights alone: smaller, and training cannot go on from them.
    Example: ``save_only_model: true``."""

    load_best_model_at_end: Annotated[bool, Flag()] = False
    """Whether the checkpoint with the best metric_for_best_model becomes the tuned model, in place of the last weights
    where those are not the best. Checkpoints must fall on evaluations. Example: ``load_best_model_at_end: true``."""

    dynamic_checkpoint: Annotated[dict[str, Any] | None, FreeMap()] = None
    """Checkpoints on request, by a file in output_dir, which is then removed: a map with ``enabled``, ``check_interval``
    (steps; default 10) and ``trigger_file_path`` (the file's name; default axolotl_checkpoint.save). A run saves one
    whenever it is asked to by dashboard or command, without this.
    Example: ``dynamic_checkpoint: {enabled: true, check_interval: 10}``."""

    resume_from_checkpoint: Annotated[str | None, PathText()] = None
    """Folder of the checkpoint from which training goes on: weights, optimizer, scheduler and place in the data.
    Example: ``resume_from_checkpoint: ./out/checkpoint-100``."""

    auto_resume_from_checkpoints: Annotated[bool, Flag()] = False
    """Whether training goes on where the last run of the same config broke off, from its newest checkpoint; as ``--resume``
    does. Where there is none, or that run has completed, it begins at the first step.
    Example: ``auto_resume_from_checkpoints: true``."""

    hub_model_id: Annotated[str | None, Text(), UPLOAD] = None
    """Repository on the Hugging Face Hub that the tuned model is uploaded to. The token is read from the environment
    variable HF_TOKEN or from the hub's login, never from the config. Example: ``hub_model_id: my-name/my-model``."""

    hub_strategy: Annotated[HubStrategy | None, Choice(get_args(HubStrategy)), UPLOAD] = None
    """What is uploaded to hub_model_id and when: at the ``end``, at ``every_save``, with the last ``checkpoint``, or
    ``all_checkpoints``. Default: every_save. Example: ``hub_strategy: end``."""

    hub_revision: Annotated[str | None, Text(), UPLOAD] = None
    """Branch of hub_model_id that is uploaded to. Default: its main branch. Example: ``hub_revision: main``."""
