"""Training recipes: which GEMM runs in which format and scale, and what stays wider.

The library's own records: the experiment ``training_block`` runs them over one transformer block,
and a training loop can read them as well.
"""

from __future__ import annotations

from . import _core


def recipes() -> list[str]:
    """The names of all training recipes.

    Returns
    -------
    list of str

    Notes
    -----
    Source: each recipe's own, see `recipe`.

    Examples
    --------
    >>> "deepseek-v3" in training.recipes()
    True
    """
    return _core.training_recipe_names()


def recipe(name: str) -> _core.TrainingRecipe:
    """A training recipe: the three GEMMs of a linear layer, and what waits between them.

    Parameters
    ----------
    name : str
        One of `recipes()`.

    Returns
    -------
    TrainingRecipe
        `forward`, `dgrad` and `wgrad` have `left`, `right` (format, granularity, scale_type,
        quantizer, delayed), `profile`, `promotion_interval` and `output`.

    Raises
    ------
    ValueError
        For unknown names; the message lists the nearest.

    Notes
    -----
    Units: intervals count elements of K; granularities are rows x K of the GEMM that reads them.

    Source: the record's own field `source`.

    Examples
    --------
    >>> r = training.recipe("deepseek-v3")
    >>> str(r.forward.left), str(r.forward.right), r.forward.promotion_interval
    ('e4m3 1x128', 'e4m3 128x128', 128)
    >>> str(training.recipe("te-delayed").dgrad.left)
    'e5m2 tensor delayed'
    """
    return _core.TrainingRecipe.find(name)


def __dir__() -> list[str]:
    return ["recipe", "recipes"]
