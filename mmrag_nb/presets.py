"""The models that can be named together, and which kind of part each setting names."""

from __future__ import annotations

NONE = "none"
"""A model setting's value for: go without."""

PRESETS: dict[str, dict[str, str]] = {
    "colab": {
        "clip": "openai/clip-vit-base-patch32",
        "text": NONE,
        "reader": "sentence-transformers/all-MiniLM-L6-v2",
        "speech": "facebook/s2t-medium-librispeech-asr",
        "sound": NONE,
        "captioner": "Salesforce/blip-image-captioning-base",
        "ocr": "rapidocr",
        "reranker": NONE,
        "generator": "gemini",
    },
    "offline": {
        "clip": "emoji",
        "text": "words",
        "reader": "words",
        "speech": "pocketsphinx",
        "sound": NONE,
        "captioner": "tags",
        "ocr": "rapidocr",
        "reranker": NONE,
        "generator": "extractive",
    },
}
"""By setting. ``reader`` is the text encoder of the strategies that always need one."""

MODELS = ("clip", "text", "speech", "sound", "captioner", "ocr", "reranker", "generator")
"""The settings that name a model; left empty, the preset's holds."""

KINDS = {
    "clip": "encoder",
    "text": "encoder",
    "speech": "transcriber",
    "sound": "encoder",
    "captioner": "captioner",
    "ocr": "ocr",
    "reranker": "reranker",
    "generator": "generator",
}
DEFAULT_NAMES = {
    "clip": "clip",
    "text": "sbert",
    "speech": "speech",
    "sound": "clap",
    "captioner": "blip",
    "reranker": "cross-encoder",
}
SOUND_ALONE = {"emoji", "words", "clip", "sbert"}
