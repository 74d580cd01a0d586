"""`soundfont`, the embedded generator: prompt -> reading -> description -> arrangement -> sound.

The modules in the order of that way: vocabulary (words, genres, instruments), reading, tokens, description,
orchestration, form, parts (harmony, melody, accompaniment, drums), arranger, sampler (sf2), mixing, mastering,
generator. Importing this, or `vocabulary`, imports no torch.
"""
