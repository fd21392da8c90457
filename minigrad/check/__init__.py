"""Is a gradient right?  `numerical_grad` measures it, `gradcheck` compares and says what is likely wrong.

Read `gradcheck` first: what it promises and how a failed check is reported.  `differences` measures a slope and judges
one number against it, `comparison` does so for all numbers of a function, forward and backward; `diagnosis` finds the
gate at fault, and `hypotheses` the mistake that was made there.  `sampling` draws inputs for the gates of the
catalogue, and `gates` is the command `minigrad check`.
"""

from .gradcheck import GradcheckReport, gradcheck, numerical_grad

__all__ = ["GradcheckReport", "gradcheck", "numerical_grad"]
