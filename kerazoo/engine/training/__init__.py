"""The verb train, and what a training is made of."""
