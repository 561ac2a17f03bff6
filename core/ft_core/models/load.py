"""The base model that a config names, in the formats its training needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.errors import ModelError
from ft_core.models.added_tokens import TokenChanges
from ft_core.models.attention_choice import choose_attention
from ft_core.models.attention_paths import FLEX, VARLEN, XFORMERS
from ft_core.models.config_overrides import (
    loading_arguments,
    model_settings,
    overridden,
    overrides_of,
)
from ft_core.models.hardware import Hardware, detect_hardware
from ft_core.models.liger import apply_liger
from ft_core.models.parameters import local_model_config
from ft_core.models.precision import choose_precision
from ft_core.models.quantise import check_rounded, keep_differentiable, load_options, quantised_base
from ft_core.models.source import check_base_model, explain_load_error
from ft_core.models.token_rows import new_rows

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedConfig, PreTrainedModel

    from ft_core.config import Config


def load_model(
    config: Config, device: str | None = None, *, hardware: Hardware | None = None
) -> PreTrainedModel:
    """Load `config.base_model`, with the attention and the number formats that the plan announces.

    The cache of keys and values is off: training does not use it, and leaving it at its default lets packed documents
    see each other in train mode (https://github.com/huggingface/transformers/issues/46634).

    Parameters
    ----------
    config
        The run's config.
    device
        Where to load it, such as ``cuda:0``; on the host by default.
    hardware
        What this machine has; asked anew by default.

    Raises
    ------
    ModelError
        The model is not there, is gated, needs its own code, or the config asks for a format this device lacks.
    MissingExtra
        A package that the model or its attention needs is not installed.
    """
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    check_base_model(config)
    hardware = hardware or detect_hardware()
    precision = choose_precision(config, hardware)
    overrides = overrides_of(config)
    model_config = overridden(local_model_config(config.base_model, config.revision_of_model), overrides)
    attention, _ = choose_attention(config, model_config, hardware)
    _register(attention, config)
    quantised = quantised_base(config, model_config)
    options = load_options(config, model_config, quantised, precision.compute)
    try:
        # A reward model has a head with one number in place of the one for tokens.
        auto: Any = AutoModelForSequenceClassification if config.reward_model else AutoModelForCausalLM
        settings = model_settings(
            config.base_model,
            overrides,
            revision=config.revision_of_model,
            trust_remote_code=config.trust_remote_code,
        )
        given: dict[str, Any] = {
            "dtype": torch_dtype(precision.weights),
            "attn_implementation": attention,
            "trust_remote_code": config.trust_remote_code,
        }
        model: PreTrainedModel
        if config.reinit_weights:
            model = _at_random(auto, config, settings, given)
        else:
            model = _stored(
                auto,
                config,
                **given,
                **options,
                **loading_arguments(config),
                **({"config": settings} if settings is not None else {}),
                **({"num_labels": 1} if config.reward_model else {}),
                device_map={"": device} if device else None,
            )
    except Exception as error:
        if explained := _explain(error, config, attention):
            raise explained from error
        raise
    check_rounded(model, config, quantised)
    model.config.use_cache = False
    keep_scale(model)
    keep_differentiable(model)
    apply_liger(model, config, hardware)
    return model


def keep_scale(model: PreTrainedModel) -> None:
    """Keep an RWKV model from halving the weights of its deeper layers wherever it evaluates.

    It does so in place, against the narrow range of fp16, and doubles them again where it trains: what is saved between the two
    would be wrong, an adapter is not halved with the weights beside it, and weights in 4 bit cannot be.
    """
    if getattr(model.config, "rescale_every", 0):
        model.config.rescale_every = 0


def _register(attention: str, config: Config) -> None:
    """Make an attention of ours known to Transformers, where that is what the model is loaded with."""
    if attention == VARLEN:
        from ft_core.models import varlen

        varlen.register()
    if attention == XFORMERS:
        from ft_core.models import xformers_path

        xformers_path.register()
    if attention == FLEX:
        from ft_core.models import flex

        flex.register(config.flex_attn_compile_kwargs)


def _stored(auto: Any, config: Config, /, **options: Any) -> PreTrainedModel:
    """Return the model with the weights that are stored.

    Raises
    ------
    ModelError
        The overrides of its config ask for weights that there are none of.
    """
    model, found = auto.from_pretrained(
        config.base_model, revision=config.revision_of_model or "main", output_loading_info=True, **options
    )
    lost = sorted(found["missing_keys"])
    if overrides_of(config) and lost and not config.reward_model:
        raise ModelError(
            f"'{config.base_model}' has no weights for {lost[0]}, which the overrides of its config ask for.",
            "Remove them, or write 'reinit_weights: true' to train a new model of that shape.",
        )
    return model


def _at_random(
    auto: Any, config: Config, settings: PreTrainedConfig | None, given: dict[str, Any]
) -> PreTrainedModel:
    """Return a model of the shape of `config.base_model` with new weights, from torch's random state."""
    from transformers import AutoConfig

    own: Any = settings
    if own is None:
        options = {
            "revision": config.revision_of_model or "main",
            "trust_remote_code": config.trust_remote_code,
        }
        own = AutoConfig.from_pretrained(config.base_model, **options)
    if config.reward_model:
        own.num_labels = 1
    return auto.from_config(own, **given)


def attention_of(model: PreTrainedModel | PeftModel) -> str:
    """Return the name of the attention that a model was loaded with."""
    config: Any = model.config
    return config._attn_implementation


def torch_dtype(name: str) -> torch.dtype:
    """Return torch's type for ``bf16``, ``fp16`` or ``fp32``."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[name]


def fit_embeddings(model: PreTrainedModel, config: Config, changes: TokenChanges) -> tuple[int, ...]:
    """Give `model` an embedding for every token of its tokenizer, and return the ids that it has not learned.

    New rows are drawn around the mean of the old ones, so that new tokens are about as likely as any other (Hewitt 2021,
    https://nlp.stanford.edu/~johnhew/vocab-expansion.html), from torch's random state: the same on every rank that was
    seeded alike. A head that is tied to the embeddings stays so.

    Parameters
    ----------
    model
        The base model, without an adapter.
    config
        The run's config.
    changes
        What `ft_core.models.tokenizer.load_vocabulary` returned beside the tokenizer.

    Raises
    ------
    ModelError
        The config names the tokenizer of another model, and that has ids for which this one has no embedding.
    """
    embedding: Any = model.get_input_embeddings()
    before = int(embedding.weight.shape[0])
    if changes.own_rows > before and not _is_own_tokenizer(config):
        raise ModelError(
            f"The tokenizer has {changes.own_rows:,} tokens and the model embeddings for {before:,}: they do not belong together.",
            "Remove 'tokenizer_config' to use the tokenizer that comes with the base model.",
        )
    after, new = new_rows(config, changes, before)
    if after > before:
        model.resize_token_embeddings(after, mean_resizing=config.mean_resizing_embeddings)
    return new


def _is_own_tokenizer(config: Config) -> bool:
    """Say whether the tokenizer is that of the base model, or of the adapter that brings the rows of its new tokens."""
    if config.tokenizer_config in (None, config.base_model):
        return True
    start = config.lora_model_dir
    return start is not None and Path(config.tokenizer_config) in (Path(start), Path(start) / "final")


def _explain(error: Exception, config: Config, attention: str) -> Exception | None:
    """Return what loading the model met, as a sentence, or None."""
    text = str(error)
    if overrides_of(config) and "ismatch" in text and isinstance(error, (RuntimeError, ValueError)):
        return ModelError(
            f"The weights of '{config.base_model}' are of other shapes than the overrides of its config.",
            "Remove them, or write 'reinit_weights: true' to train a new model of that shape.",
        )
    if isinstance(error, (ImportError, ValueError)) and ("attention" in text.lower() or "flash_attn" in text):
        return ModelError(
            f"'{config.base_model}' cannot run with the attention '{attention}': {text.splitlines()[0]}",
            "Remove 'attn_implementation' to let this device's best one be chosen.",
        )
    return explain_load_error(error, config.base_model, "base model")
