"""Is a gradient right?  `numerical_grad` measures it, `gradcheck` compares and says what is likely wrong.

Read `differences` first: how a slope is measured, and one gradient judged.  `comparison` does so for all gradients of a
function, forward and backward, and `gradcheck` is the door to it.  Where a check fails, `diagnosis` finds the gate at
fault and `mistakes` what was done wrong there; `report` has the words.  `gates` is the command `minigrad check`, and
`sampling` draws inputs for it.
"""

from .differences import numerical_grad
from .gradcheck import gradcheck
from .report import GradcheckReport

__all__ = ["GradcheckReport", "gradcheck", "numerical_grad"]
