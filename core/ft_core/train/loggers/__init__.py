"""Trackers outside the notebook: Weights & Biases, MLflow, Comet, Trackio and TensorBoard are told what the run's events say.

Each is told by its own library, on the first rank alone. What goes wrong there is a warning, and training goes on.
"""
