"""All readers that are fuzzed, by name: how to make a sound file or folder, and how to read it."""

from tests.fuzz import boxes, checkpoints, classes, images, keypoints, masks, plain, predict, runs, videos

READERS = (
    plain.READERS
    | boxes.READERS
    | checkpoints.READERS
    | classes.READERS
    | images.READERS
    | keypoints.READERS
    | masks.READERS
    | predict.READERS
    | runs.READERS
    | videos.READERS
)
