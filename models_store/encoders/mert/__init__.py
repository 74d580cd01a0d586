"""MERT: a HuBERT that was trained on music."""

from models_store.encoders.mert.encoder import Mert

__all__ = ["Mert"]
