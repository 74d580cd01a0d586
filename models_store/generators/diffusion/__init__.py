"""The diffusion families of diffusers behind one class."""

from models_store.generators.diffusion.generator import DiffusionGenerator, encoded_prompts, vocabulary

__all__ = ["DiffusionGenerator", "encoded_prompts", "vocabulary"]
