"""Imports TensorFlow as armour needs it. Every module of this backend takes `tf` from here, so that it happens first.

TF 2.21 with oneDNN can kill the process in the filter gradient of a 1x1 stride-2 SAME convolution on CPU (residual
networks in training). oneDNN is decided once, when TensorFlow is imported: a user who has imported it before, or has
set the variable, keeps what is.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import tensorflow as tf

__all__ = ["tf"]
