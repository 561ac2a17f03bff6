"""What holds for every key of the schema, whatever its topic."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter

from ft_core.config import Config, ConfigError, KeyDoc, explain_all, load_config
from ft_core.config.config import INNER, TOPICS
from ft_core.config.document import read_document
from ft_core.config.keys import axolotl_keys, fields_of, planned
from ft_core.config.schema.values import names

REQUIRED = {
    "base_model": "org/model",
    "learning_rate": 2e-4,
    "datasets": [{"path": "org/data", "type": "chat_template"}],
}

USED = names("""\
accelerator_config activation_offloading adam_beta1 adam_beta2 adam_epsilon adapter attn_implementation
auto_resume_from_checkpoints autotune_cache_path autotune_neighborhood autotune_profiles base_model batch_flattening
batch_size bf16 bnb_config_kwargs chat_template chat_template_kwargs comet_api_key comet_experiment_config
comet_experiment_key comet_mode comet_online comet_project_name comet_workspace context_parallel_size
cosine_constant_lr_ratio cosine_min_lr_ratio cut_cross_entropy dataloader_num_workers dataset_exact_deduplication
dataset_num_proc dataset_prepared_path datasets ddp_find_unused_parameters ddp_timeout deepspeed device_map diffusion
diffusion_decision diffusion_lm dp_replicate_size dp_shard_size dsv4_fp4_grouped_mode early_stopping_patience ebft
eot_tokens eval_batch_size eval_on_start eval_sample_packing eval_steps eval_strategy evals_per_epoch
experimental_skip_move_to_device expert_parallel_backend expert_parallel_size experts_implementation
flash_attn_cross_entropy flash_attn_fuse_mlp flash_optimum flex_attn_compile_kwargs fp16 freeze_mm_modules fsdp_config
fsdp_version fused_attn_kernel gemma4_hybrid_attn_impl gptq gpu_memory_limit gradient_accumulation_steps
gradient_checkpointing gradient_checkpointing_kwargs greater_is_better group_by_length hf_use_auth_token hub_model_id
learning_rate liger_fused_linear_cross_entropy liger_glu_activation liger_layer_norm liger_rms_norm
liger_rms_norm_gated liger_rope llama4_linearized_experts load_best_model_at_end load_in_4bit load_in_8bit local_rank
logging_steps lora_alpha lora_dropout lora_fan_in_fan_out lora_mlp_kernel lora_model_dir lora_modules_to_save
lora_o_kernel lora_on_cpu lora_qkv_kernel lora_r lora_target_linear lora_target_modules lora_target_parameters
loraplus_lr_ratio loss_watchdog_patience loss_watchdog_threshold low_cpu_mem_usage lr_quadratic_warmup lr_scheduler
max_grad_norm max_steps metric_for_best_model micro_batch_size min_sample_len model_quantization_config
model_quantization_config_kwargs model_type neftune_noise_alpha nf4_backend num_epochs num_labels nvfp4_merge_aware
optim_args optimizer output_dir pad_to_sequence_len ple_cpu_offload plugins pretrain_multipack_attn
pretraining_dataset processor_type push_dataset_to_hub qat quantize_moe_experts reinit_weights remove_unused_columns
resize_token_embeddings_to_32x resume_from_checkpoint revision_of_model reward_model rl rl_beta sample_packing
save_only_model save_steps save_strategy save_total_limit saves_per_epoch seed sequence_len shuffle_merged_datasets
skip_prepare_dataset special_tokens streaming streaming_multipack_buffer_size strict swanlab_completion_log_interval
swanlab_completion_max_buffer swanlab_description swanlab_experiment_name swanlab_log_completions swanlab_mode
swanlab_project tensor_parallel_size test_datasets tf32 tiled_mlp tokenizer_config tokenizer_legacy tokenizer_type
tokenizer_use_fast tokenizer_use_mistral_common tokens torch_compile torchdistx_path trackio_project_name
trackio_run_name trackio_space_id train_on_inputs trl trust_remote_code unfrozen_parameters use_comet use_kernels
use_onebitllms use_scattermoe use_sonicmoe use_swanlab use_tensorboard val_set_size vllm wandb_entity wandb_log_model
wandb_mode wandb_name wandb_project wandb_run_id wandb_watch warmup_ratio warmup_steps weight_decay
""")
"""Keys at the top level that Axolotl's users set: those that its README or two or more of its examples name, and those
that most configs hold. Not among them: older names, which are translated."""

USED_IN_DATASETS = names("""\
chat_template chat_template_jinja data_files drop_system_message ds_type field field_chosen field_human field_messages
field_model field_rejected field_thinking field_tools input_format input_transform logprobs_field
max_completion_length message_field_training message_field_training_detail message_property_mappings name path
preprocess_shards revision roles roles_to_train shards shards_idx split split_thinking step_separator temperature
template_thinking_key train_on_eos train_on_eot train_on_last_step_only trust_remote_code type weight
""")
"""Keys that Axolotl reads in a dataset, whatever its type."""

DOCS = {doc.key: doc for doc in explain_all()}


def field_of(key: str) -> Any:
    """Return the schema's field for a dotted key."""
    holder, _, name = key.rpartition(".")
    return fields_of(holder or "top")[name]


def is_refused(doc: KeyDoc) -> bool:
    """Whether a config that sets the key is refused; a key inside one that is refused is refused with it."""
    return doc.instead is not None and ("." not in doc.key or DOCS[doc.key.split(".")[0]].instead is None)


def config_with(doc: KeyDoc) -> str:
    """Return the text of a config that sets the key by its example line, which is the last."""
    dataset = "datasets:\n- path: org/data\n  type: chat_template\n"
    holder = doc.key.rpartition(".")[0]
    head = "base_model: org/model\nlearning_rate: 2e-4\n" + dataset
    if holder == "datasets":
        return f"{head}  {doc.example}\n"
    if holder == "test_datasets":
        return f"{head}{dataset.replace('datasets', holder)}  {doc.example}\n"
    return f"{head}{holder}:\n  {doc.example}\n" if holder else f"{head}{doc.example}\n"


def test_every_key_that_is_used_is_a_field():
    assert sorted(set(USED) - set(Config.model_fields)) == []
    assert sorted(set(USED_IN_DATASETS) - set(fields_of("datasets"))) == []


def test_a_key_stands_in_one_topic():
    homes: dict[str, list[str]] = {}
    for topic in TOPICS:
        for key in topic.model_fields:
            homes.setdefault(key, []).append(topic.__name__)
    assert {key: found for key, found in homes.items() if len(found) > 1} == {}
    assert homes.keys() == Config.model_fields.keys()


@pytest.mark.parametrize("key", DOCS)
def test_every_key_is_explained_by_an_example(key):
    doc = DOCS[key]
    assert doc.topic in {topic.__name__.removesuffix("Keys").lower() for topic in TOPICS}
    assert doc.type
    assert doc.text.endswith(".")
    assert "  " not in doc.text
    document = read_document(doc.example)
    assert document.problems == []
    name = key.rpartition(".")[2]
    assert list(document.data) == [name]
    info = field_of(key)
    TypeAdapter(Annotated[(info.annotation, None, *info.metadata)]).validate_python(document.data[name])


@pytest.mark.parametrize("key", [key for key, doc in DOCS.items() if is_refused(doc)])
def test_a_key_that_training_does_not_do_yet_is_refused_by_name(key):
    doc = DOCS[key]
    document = read_document(doc.example)
    name = key.rpartition(".")[2]
    text = config_with(doc)
    line, column = text.count("\n"), 3 if "." in key else 1
    value = document.data[name]
    if value is False or value == field_of(key).get_default(call_default_factory=True):
        assert load_config(text).warnings == ()
        return
    with pytest.raises(ConfigError) as caught:
        load_config(text)
    message = f"'{name}' is not supported yet"
    # What else it may need is for the checks between keys to say.
    assert [
        (problem.line, problem.column, problem.fix)
        for problem in caught.value.problems
        if problem.message == message
    ] == [(line, column, doc.instead)]


@pytest.mark.parametrize("value", [None, False, "", [], {}, "ours", "axolotl's"])
def test_a_key_that_asks_for_nothing_passes(value):
    def filled(holder: str) -> dict[str, Any]:
        fields = fields_of(holder)
        keys = [key for key, info in fields.items() if planned(info)]
        if value == "ours":
            return {key: plain(fields[key].get_default(call_default_factory=True)) for key in keys}
        if value == "axolotl's":
            return {key: axolotl_keys(holder).get(key) for key in keys}
        return dict.fromkeys(keys, value)

    entry = {**REQUIRED["datasets"][0], **filled("datasets")}
    config = load_config(
        {**REQUIRED, **filled("top"), "datasets": [entry], "special_tokens": filled("special_tokens")}
    )
    assert config.warnings == ()
    assert config == load_config(REQUIRED)


def plain(value: Any) -> Any:
    """Return a default as YAML would give it."""
    return list(value) if isinstance(value, tuple) else value


def test_what_is_written_names_no_key_that_training_does_not_do_yet():
    written = load_config(REQUIRED).to_yaml()
    data = read_document(written).data
    unsupported = {key for key, doc in DOCS.items() if doc.instead is not None}
    assert unsupported.isdisjoint(data)
    assert unsupported.isdisjoint(f"datasets.{key}" for key in data["datasets"][0])


def test_keys_inside_a_key_that_is_refused_are_refused_too():
    for holder, topic in INNER.items():
        if DOCS[holder].instead is not None:
            assert [key for key, info in topic.model_fields.items() if planned(info) is None] == []
