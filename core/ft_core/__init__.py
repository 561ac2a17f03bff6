"""The engine of ft_jupyter: YAML in, tuned model out. Imports no Jupyter and runs headless.

The layers, each importing only those below it::

    cli                     the ``ft`` command
    launch   infer          start training processes; chat with a model
    train                   plan and train
    models   data   runs    weights; rows to ids and labels; a run's directory
    config                  YAML to a validated Config
    errors                  what every layer raises
"""

__version__ = "0.1.0"
