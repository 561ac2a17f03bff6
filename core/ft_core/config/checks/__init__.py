"""What is wrong between keys that are each right on their own: a module for each topic.

docs/reference/config-checks.md lists every check with an example. A key that training does not do yet is checked too, by
what was asked for; so a config with several mistakes names them all.
"""

from __future__ import annotations

from ft_core.config.checks.adapter import check_adapter
from ft_core.config.checks.asked import Asked, datasets_of, has_eval_data
from ft_core.config.checks.batch import check_batch
from ft_core.config.checks.data import check_data
from ft_core.config.checks.dataset import check_dataset
from ft_core.config.checks.distributed import check_distributed
from ft_core.config.checks.evaluation import check_evaluation
from ft_core.config.checks.logging import check_logging
from ft_core.config.checks.loss import check_loss
from ft_core.config.checks.merge import check_merge
from ft_core.config.checks.model import check_model
from ft_core.config.checks.optimizer import check_optimizer
from ft_core.config.checks.plugins import check_plugins
from ft_core.config.checks.preference import check_preference
from ft_core.config.checks.quantization import check_quantization
from ft_core.config.checks.restarts import check_restarts
from ft_core.config.checks.saving import check_saving
from ft_core.config.checks.schedule import check_schedule
from ft_core.config.checks.sequence import check_sequence
from ft_core.config.checks.template import check_templates
from ft_core.config.config import Config
from ft_core.config.draft import Draft

__all__ = ["check_together", "datasets_of", "has_eval_data"]

CHECKS = (
    check_model,
    check_templates,
    check_data,
    check_sequence,
    check_adapter,
    check_restarts,
    check_quantization,
    check_merge,
    check_optimizer,
    check_batch,
    check_schedule,
    check_saving,
    check_evaluation,
    check_logging,
    check_distributed,
    check_preference,
    check_loss,
    check_plugins,
)


def check_together(config: Config, draft: Draft) -> None:
    """Report what does not fit together.

    Parameters
    ----------
    config
        The typed values; a stand-in where a value is missing or wrong.
    draft
        Says which keys were given, and takes the problems.
    """
    asked = Asked(config, draft)
    for check in CHECKS:
        check(asked)
    for path, dataset in datasets_of(config, draft):
        check_dataset(asked, dataset, path)
