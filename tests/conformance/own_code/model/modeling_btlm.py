"""A small model with code of its own, in BTLM's place: GPT-2's blocks, with distances in place of positions (ALiBi).

It knows no attention of Transformers, as code of BTLM's years does not, and takes a row for one document.
"""

from typing import ClassVar

import torch
from torch import nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput
from transformers.pytorch_utils import Conv1D


class BTLMConfig(PretrainedConfig):
    model_type = "btlm"
    attribute_map: ClassVar = {
        "hidden_size": "n_embd",
        "num_hidden_layers": "n_layer",
        "num_attention_heads": "n_head",
    }

    def __init__(self, vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=128, **others):
        self.vocab_size, self.n_embd, self.n_layer = vocab_size, n_embd, n_layer
        self.n_head, self.n_positions = n_head, n_positions
        super().__init__(**others)


class BTLMBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        size = config.n_embd
        self.heads = config.n_head
        self.ln_1, self.ln_2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.c_attn, self.c_proj = Conv1D(3 * size, size), Conv1D(size, size)
        self.c_fc, self.c_out = Conv1D(4 * size, size), Conv1D(size, 4 * size)

    def forward(self, hidden, bias):
        rows, length, size = hidden.shape
        parts = self.c_attn(self.ln_1(hidden)).view(rows, length, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / (size // self.heads) ** 0.5 + bias.to(query.dtype)
        mixed = scores.softmax(-1, dtype=torch.float32).to(value.dtype) @ value
        hidden = hidden + self.c_proj(mixed.transpose(1, 2).reshape(rows, length, size))
        return hidden + self.c_out(nn.functional.gelu(self.c_fc(self.ln_2(hidden))))


class BTLMLMHeadModel(PreTrainedModel, GenerationMixin):
    config_class = BTLMConfig
    base_model_prefix = "transformer"

    def __init__(self, config):
        super().__init__(config)
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.h = nn.ModuleList(BTLMBlock(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.wte

    def get_output_embeddings(self):
        return self.lm_head

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None, **others):
        hidden = self.wte(input_ids) if inputs_embeds is None else inputs_embeds
        place = torch.arange(hidden.shape[1], device=hidden.device)
        distance = place[None, :] - place[:, None]
        slopes = 2.0 ** -torch.arange(1, self.config.n_head + 1, device=hidden.device)
        bias = (slopes[:, None, None] * distance).masked_fill(distance > 0, float("-inf"))[None]
        if attention_mask is not None:
            hidden_from = (attention_mask == 0)[:, None, None, :] & (distance != 0)
            bias = bias.masked_fill(hidden_from, float("-inf"))
        for block in self.h:
            hidden = block(hidden, bias)
        return CausalLMOutput(logits=self.lm_head(self.ln_f(hidden)))

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **others):
        return {"input_ids": input_ids, "attention_mask": attention_mask}
