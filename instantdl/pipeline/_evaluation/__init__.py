"""Parts of the evaluation: one module for each task, and what they share."""
