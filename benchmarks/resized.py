"""A copy of a segmentation folder with every image and mask at one size, as some published results use.

    python benchmarks/resized.py DATA OUTPUT [--size 96]

Images are averaged over areas (OpenCV's INTER_AREA), masks and instances take
the nearest pixel by INTER_NEAREST_EXACT: plain INTER_NEAREST shifts them by up to half a pixel.
"""

import argparse
from pathlib import Path

import cv2

from kerazoo.data.segmentation.mask_files import read_mask
from kerazoo.files.listing import list_images
from kerazoo.image import read_image, write_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=int, default=96)
    told = parser.parse_args()
    for path in list_images(told.data):
        target = told.output / path.relative_to(told.data).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        if "images" in path.relative_to(told.data).parts:
            pixels, interpolation = read_image(path), cv2.INTER_AREA
        else:
            pixels, interpolation = read_mask(path).pixels, cv2.INTER_NEAREST_EXACT
        write_image(target, cv2.resize(pixels, (told.size, told.size), interpolation=interpolation))


if __name__ == "__main__":
    main()
