"""The verbs: train, evaluate, predict, export and their like."""
