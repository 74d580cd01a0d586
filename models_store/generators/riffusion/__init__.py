"""`riffusion`: pictures of sound painted by a diffusion model, and played (Forsgren and Martiros 2022)."""
