"""Looking at what a config trains on: any row as its samples, and all of them in figures.

::

    open_inspection(config) ── .look(place)            a row, its samples, and what is doubtful about each
        │                  ├── .packing(), .parity()   how samples share rows; the chat's prompt beside the training's
        │                  └── .changed(changes)       the same with other values
        └── start_scan(), start_search(text)           passes over all rows in processes of their own ──> .summary(),
                                                       .findings(), .places(flag)

Importing this package imports neither torch nor transformers.
"""
