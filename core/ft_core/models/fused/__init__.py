"""The adapted layers of a model, computed in fewer passes over memory, with the same results.

::

    choose.py   whether a run does so, and why; torch-free, for plans
    fuse.py     which layers of a model these can stand in for, and the proof that they compute the same
    linear.py   a linear layer and its adapter as one step: two matrix products, none of its tensors written twice
    gated.py    a gated feed-forward block as one step, which keeps two tensors for the backward pass in place of four
    gate.py     what happens between its linear layers: an activation, and a product
"""
