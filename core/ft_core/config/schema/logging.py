"""Keys of what a run tells while it trains, and to whom."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, FreeMap, Planned, Text, Whole

WandbMode = Literal["online", "offline", "disabled"]
WandbWatch = Literal["gradients", "parameters", "all", "false"]
WandbLogModel = Literal["checkpoint", "end", "false"]
CometMode = Literal["get_or_create", "get", "create"]
SwanlabMode = Literal["cloud", "local", "offline", "disabled"]

IN_THE_NOTEBOOK = Planned(
    "remove it: the loss curve is drawn in the notebook and kept in the run's events.jsonl"
)
IN_THE_ENVIRONMENT = Planned(
    "set the environment variable COMET_API_KEY and remove the line: a config is kept with its run and shared"
)
NOT_PROFILED = Planned("remove it: the dashboard shows the time of each step")


class LoggingKeys(Topic):
    """The log, and trackers outside the notebook."""

    logging_steps: Annotated[int, Whole(minimum=1)] = 1
    """Optimizer steps from one line of the log to the next. The loss curve has every step. Example: ``logging_steps: 10``."""

    use_wandb: Annotated[bool, Flag()] = False
    """Whether the run is reported to Weights & Biases. Default: true where wandb_project is given. Example: ``use_wandb: true``."""

    wandb_project: Annotated[str | None, Text()] = None
    """Project in Weights & Biases that the run is reported to. The key of the service is read from the environment variable
    WANDB_API_KEY or from ``wandb login``, never from the config. Example: ``wandb_project: my-project``."""

    wandb_entity: Annotated[str | None, Text()] = None
    """Team or user in Weights & Biases that owns wandb_project. Default: the account's own.
    Example: ``wandb_entity: my-team``."""

    wandb_name: Annotated[str | None, Text()] = None
    """Name of the run in Weights & Biases. Default: the name of the run here. Example: ``wandb_name: first-try``."""

    wandb_run_id: Annotated[str | None, Text()] = None
    """Identifier of the run in Weights & Biases, to go on with one that is there. Default: a new one.
    Example: ``wandb_run_id: 3k9x1c2a``."""

    wandb_mode: Annotated[WandbMode | None, Choice(get_args(WandbMode))] = None
    """``online``; ``offline``: written into the run's directory, to be sent later by ``wandb sync``; or ``disabled``. Default:
    online, or as the environment variable WANDB_MODE says.
    Example: ``wandb_mode: offline``."""

    wandb_watch: Annotated[WandbWatch | None, Choice(get_args(WandbWatch))] = None
    """Histograms that are reported every 100 steps: of ``gradients``, ``parameters``, ``all`` of these, or none (``false``).
    Default: none. Example: ``wandb_watch: gradients``."""

    wandb_log_model: Annotated[WandbLogModel | None, Choice(get_args(WandbLogModel))] = None
    """Whether weights are uploaded to Weights & Biases: each ``checkpoint``, those of the ``end``, or none (``false``).
    Default: none. Example: ``wandb_log_model: checkpoint``."""

    use_mlflow: Annotated[bool, Flag()] = False
    """Whether the run is reported to MLflow. Default: true where mlflow_experiment_name is given. Example: ``use_mlflow: true``."""

    mlflow_tracking_uri: Annotated[str | None, Text()] = None
    """Address of the MLflow server, a database, or a folder. A password belongs in the environment variable
    MLFLOW_TRACKING_PASSWORD, not here. Default: as the environment variable MLFLOW_TRACKING_URI says, else the folder
    ``mlruns`` beside the runs. Example: ``mlflow_tracking_uri: http://localhost:5000``."""

    mlflow_experiment_name: Annotated[str | None, Text()] = None
    """Experiment in MLflow that the run belongs to. Example: ``mlflow_experiment_name: my-experiment``."""

    mlflow_run_name: Annotated[str | None, Text()] = None
    """Name of the run in MLflow. Default: the name of the run here. Example: ``mlflow_run_name: first-try``."""

    hf_mlflow_log_artifacts: Annotated[bool, Flag()] = False
    """Whether each checkpoint is copied to MLflow's store of artifacts. Example: ``hf_mlflow_log_artifacts: true``."""

    use_comet: Annotated[bool, Flag()] = False
    """Whether the run is reported to Comet. Default: true where comet_project_name is given. Example: ``use_comet: true``."""

    comet_api_key: Annotated[str | None, Text(), IN_THE_ENVIRONMENT] = None
    """Secret key of the Comet account. A config is kept with its run and shared, so the right place for it is the
    environment variable COMET_API_KEY or ``comet login``. Example: ``comet_api_key: my-key``."""

    comet_workspace: Annotated[str | None, Text()] = None
    """Workspace in Comet. Default: the account's own. Example: ``comet_workspace: my-team``."""

    comet_project_name: Annotated[str | None, Text()] = None
    """Project in Comet. Default: Uncategorized. Example: ``comet_project_name: my-project``."""

    comet_experiment_key: Annotated[str | None, Text()] = None
    """Identifier of the experiment in Comet, 32 to 50 letters and digits, to go on with one that is there. Default: a new
    one. Example: ``comet_experiment_key: 0123456789abcdef0123456789abcdef``."""

    comet_mode: Annotated[CometMode | None, Choice(get_args(CometMode))] = None
    """Whether the experiment in Comet is a new one (``create``), one that is there (``get``), or what fits
    (``get_or_create``). Default: get_or_create. Example: ``comet_mode: create``."""

    comet_online: Annotated[bool, Flag()] = True
    """Whether the run is sent to Comet while it trains, in place of being written into the run's directory, to be sent later
    by ``comet upload``.
    Example: ``comet_online: false``."""

    comet_experiment_config: Annotated[dict[str, Any] | None, FreeMap()] = None
    """Further settings of the experiment, by the names of Comet's ``ExperimentConfig``.
    Example: ``comet_experiment_config: {tags: [first-try]}``."""

    use_tensorboard: Annotated[bool, Flag()] = False
    """Whether a log for TensorBoard is written, into the run's directory: ``tensorboard --logdir runs`` shows all runs.
    Example: ``use_tensorboard: true``."""

    use_trackio: Annotated[bool, Flag()] = False
    """Whether the run is reported to Trackio, a tracker on this machine or in a Hugging Face Space. Default: true where
    trackio_project_name is given. Example: ``use_trackio: true``."""

    trackio_project_name: Annotated[str | None, Text()] = None
    """Project in Trackio. Default: huggingface. Example: ``trackio_project_name: my-project``."""

    trackio_run_name: Annotated[str | None, Text()] = None
    """Name of the run in Trackio. Default: the name of the run here. Example: ``trackio_run_name: first-try``."""

    trackio_space_id: Annotated[str | None, Text()] = None
    """Hugging Face Space that keeps and shows the run; where there is none of this name, a private one is made. Default: this
    machine alone. Example: ``trackio_space_id: my-name/my-space``."""

    use_swanlab: Annotated[bool, Flag(), IN_THE_NOTEBOOK] = False
    """Whether the run is reported to SwanLab (needs a plugin in Axolotl). Example: ``use_swanlab: true``."""

    swanlab_project: Annotated[str | None, Text(), IN_THE_NOTEBOOK] = None
    """Project in SwanLab. The key of the service belongs in the environment variable SWANLAB_API_KEY.
    Example: ``swanlab_project: my-project``."""

    swanlab_experiment_name: Annotated[str | None, Text(), IN_THE_NOTEBOOK] = None
    """Name of the run in SwanLab. Example: ``swanlab_experiment_name: first-try``."""

    swanlab_description: Annotated[str | None, Text(), IN_THE_NOTEBOOK] = None
    """What the run in SwanLab is about. Example: ``swanlab_description: rank 16 on 10 % of the data``."""

    swanlab_mode: Annotated[SwanlabMode | None, Choice(get_args(SwanlabMode)), IN_THE_NOTEBOOK] = None
    """Where SwanLab keeps the run: ``cloud``, ``local`` (a server on this machine), ``offline`` (files, to be sent later), or
    ``disabled``. Default: cloud. Example: ``swanlab_mode: local``."""

    swanlab_log_completions: Annotated[bool, Flag(), IN_THE_NOTEBOOK] = True
    """Whether answers that preference and reward methods generate are reported to SwanLab.
    Example: ``swanlab_log_completions: true``."""

    swanlab_completion_log_interval: Annotated[int, Whole(minimum=1), IN_THE_NOTEBOOK] = 100
    """Steps from one report of swanlab_log_completions to the next. Example: ``swanlab_completion_log_interval: 50``."""

    swanlab_completion_max_buffer: Annotated[int, Whole(minimum=1), IN_THE_NOTEBOOK] = 128
    """Answers that swanlab_log_completions keeps for a report at most. Example: ``swanlab_completion_max_buffer: 64``."""

    use_otel_metrics: Annotated[bool, Flag(), IN_THE_NOTEBOOK] = False
    """Whether the run's figures can be fetched by Prometheus while it trains. Example: ``use_otel_metrics: true``."""

    otel_metrics_host: Annotated[str, Text(), IN_THE_NOTEBOOK] = "localhost"
    """Address that use_otel_metrics serves on; ``0.0.0.0`` lets every machine in. Example: ``otel_metrics_host: localhost``."""

    otel_metrics_port: Annotated[int, Whole(minimum=1, maximum=65535), IN_THE_NOTEBOOK] = 8000
    """Port that use_otel_metrics serves on. Example: ``otel_metrics_port: 8000``."""

    profiler_steps: Annotated[int | None, Whole(minimum=1), NOT_PROFILED] = None
    """Steps that PyTorch's memory profiler records into output_dir. Default: none. Example: ``profiler_steps: 3``."""

    profiler_steps_start: Annotated[int, Whole(minimum=0), NOT_PROFILED] = 0
    """Step at which profiler_steps begins to count. Example: ``profiler_steps_start: 10``."""
