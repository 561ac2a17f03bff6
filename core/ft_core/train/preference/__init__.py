"""Training from preferences and of reward models: TRL's trainers on our rows, our run and our checkpoints."""
