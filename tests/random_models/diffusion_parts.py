"""The parts that random diffusion pipelines share: schedulers, autoencoders, vocoders, text encoders, tokenizers."""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKL,
    AutoencoderOobleck,
    DDIMScheduler,
)
from transformers import (
    ClapConfig,
    ClapModel,
    GemmaTokenizer,
    Qwen2Tokenizer,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

CLAP_TOKENS = 126
T5_TOKENS = 128
GEMMA_TOKENS = 256

CLAP_WIDTH, T5_WIDTH, LANGUAGE_WIDTH, GEMMA_WIDTH, QWEN_WIDTH = 24, 32, 16, 32, 32
"""Numbers per token or text."""

BANDS = 64
"""Of the mel spectrograms that both latent diffusion models paint, at 100 columns a second."""

_LETTERS = "▁abcdefghijklmnopqrstuvwxyz0123456789,.'-#:\n"


def ddim() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def spectrograms() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        latent_channels=4,
        block_out_channels=(4, 8, 8),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        scaling_factor=0.9,
    )


def vocoder() -> SpeechT5HifiGan:
    return SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=BANDS,
            sampling_rate=16_000,
            upsample_initial_channel=32,
            upsample_rates=[5, 4, 2, 2, 2],  # 160 samples a column
            upsample_kernel_sizes=[16, 16, 8, 4, 4],
            resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3]],
            normalize_before=False,
            initializer_range=0.2,
        )
    )


def oobleck(ratios: tuple[int, ...], sample_rate: int) -> AutoencoderOobleck:
    return AutoencoderOobleck(
        encoder_hidden_size=4,
        downsampling_ratios=list(ratios),
        channel_multiples=[1, 1, 2, 4, 4],
        decoder_channels=2,
        decoder_input_channels=4,
        sampling_rate=sample_rate,
    )


def clap() -> ClapModel:
    shape: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    text: dict[str, Any] = {"vocab_size": 320, "intermediate_size": 32, "max_position_embeddings": CLAP_TOKENS + 2}
    audio: dict[str, Any] = {"hidden_size": 64, "patch_embeds_hidden_size": 16, "depths": [1, 1, 2]}
    audio |= {"num_attention_heads": [2, 2, 4]}
    wide = {"initializer_factor": 10.0}  # else every prompt sounds alike
    return ClapModel(ClapConfig(projection_dim=CLAP_WIDTH, text_config=shape | text | wide, audio_config=audio | wide))


def t5(rows: int) -> T5Config:
    return T5Config(vocab_size=rows, d_model=T5_WIDTH, d_kv=8, d_ff=64, num_layers=2, num_heads=4)


def roberta() -> RobertaTokenizer:
    pieces = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", *bytes_to_unicode().values())
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=CLAP_TOKENS)


def gemma_tokenizer() -> GemmaTokenizer:
    pieces = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *_LETTERS)
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return GemmaTokenizer(vocab=vocabulary, merges=[], model_max_length=GEMMA_TOKENS)


def qwen_tokenizer() -> Qwen2Tokenizer:
    # With merges, so that the frame around a prompt stays well below its 256 tokens.
    letters = list(bytes_to_unicode().values())
    merges: list[tuple[str, str]] = []
    for word in _FRAME.split():
        spelt = list(f"Ġ{word}")
        while len(spelt) > 1:
            merges.append((spelt[0], spelt[1]))
            spelt = [spelt[0] + spelt[1], *spelt[2:]]
    merges = list(dict.fromkeys(merges))
    pieces = dict.fromkeys([*letters, *(first + second for first, second in merges), "<|endoftext|>"])
    return Qwen2Tokenizer(vocab={piece: at for at, piece in enumerate(pieces)}, merges=merges)


_FRAME = (
    "Instruction Fill the audio semantic mask based on the given conditions: Caption Metas bpm: N/A timesignature: "
    "keyscale: duration: seconds"
)
