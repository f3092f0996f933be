"""Numbers about drawn images: can they be read, is every digit there, are they copies?"""

from pixelar_lib.quality.copies import Nearest, copying_z, nearest
from pixelar_lib.quality.features import class_entropy, confidence, coverage, frechet_distance

__all__ = [
    "Nearest",
    "class_entropy",
    "confidence",
    "copying_z",
    "coverage",
    "frechet_distance",
    "nearest",
]
