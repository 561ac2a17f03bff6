"""Train the run of argv[1] as one rank under torchrun, and leave word of how the ranks were really joined."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch.distributed

from ft_core.train.trainer import RunTrainer
from ft_core.train.worker import main

directory = Path(sys.argv[1])
train = RunTrainer.train


def train_and_tell(self: RunTrainer, *arguments: Any, **settings: Any) -> Any:
    output = train(self, *arguments, **settings)
    facts = {
        "world_size": torch.distributed.get_world_size(),
        "backend": torch.distributed.get_backend(),
        "wrapper": type(self.model_wrapped).__name__,
    }
    if "weights" in sys.argv:
        unwrapped = self.accelerator.unwrap_model(self.model)
        facts["weights"] = {
            name: weight.double().sum().item() for name, weight in unwrapped.named_parameters()
        }
    (directory / f"facts-{os.environ['RANK']}.json").write_text(json.dumps(facts))
    return output


RunTrainer.train = train_and_tell  # type: ignore[method-assign]
sys.exit(main(directory))
