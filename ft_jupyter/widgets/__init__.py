"""The Python side of the live views, and the still pictures behind them."""
