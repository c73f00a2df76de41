"""A picture gets the same caption however it is batched, the one that transformers gives it."""

from __future__ import annotations

import pytest
import torch
import transformers
from checkpoints import checkpoint  # noqa: F401  (a fixture)
from describer_checkpoints import CAPTIONERS, captioner_checkpoint, scenes  # noqa: F401  (the second is a fixture)
from PIL import Image

from mmrag_nb.errors import InvalidSetting, ModelUnavailable
from mmrag_nb.models.blip import LONGEST, BlipCaptioner


@pytest.fixture(scope="module", params=CAPTIONERS)
def captioner(request, captioner_checkpoint):  # noqa: F811
    return BlipCaptioner(str(captioner_checkpoint(request.param)), device="cpu", precision="float32", batch_size=2)


def test_a_caption_does_not_depend_on_its_company(captioner):
    together = captioner.describe(scenes())
    assert together == [captioner.describe([scene])[0] for scene in scenes()]
    assert together == captioner.describe(scenes()[::-1])[::-1]
    assert len(set(together)) > 1, "a network that says the same of everything would prove nothing"
    assert all(together)


def test_it_says_what_transformers_says(captioner_checkpoint):  # noqa: F811
    folder = captioner_checkpoint("blip")
    model = transformers.BlipForConditionalGeneration.from_pretrained(folder).eval()
    pixels = transformers.BlipImageProcessor(size={"height": 32, "width": 32})(scenes()[1], return_tensors="pt")
    with torch.no_grad():
        tokens = model.generate(**pixels, max_new_tokens=LONGEST, do_sample=False)
    expected = transformers.AutoTokenizer.from_pretrained(folder).decode(tokens[0], skip_special_tokens=True)
    captioner = BlipCaptioner(str(folder), device="cpu", precision="float32")
    assert captioner.describe([scenes()[1]]) == [expected]


def test_pictures_of_any_size_and_mode(captioner):
    odd = [Image.new("RGB", size, "red") for size in ((1, 1), (10_000, 1), (1, 4000), (300, 3))]
    assert len(captioner.describe([*odd, Image.new("L", (20, 20)), Image.new("RGBA", (20, 20))])) == 6


def test_it_says_which_model_it_is_and_where_it_runs(captioner_checkpoint):  # noqa: F811
    short = BlipCaptioner(str(captioner_checkpoint("blip")), device="cpu", precision="bfloat16")
    assert short.description == "tiny-blip (bf16, cpu)"
    assert short.fingerprint["model"] == "tiny-blip"
    assert len(short.fingerprint["revision"]) == 64
    assert all(short.describe(scenes()))


def test_a_model_that_cannot_caption_is_refused_in_one_line(checkpoint, captioner_checkpoint, tmp_path):  # noqa: F811
    with pytest.raises(ModelUnavailable, match="AutoModelForImageTextToText cannot read it") as refusal:
        BlipCaptioner(str(checkpoint("clip")), device="cpu")
    assert "\n" not in str(refusal.value)
    assert "%config MMRag.captioner" in str(refusal.value)
    with pytest.raises(InvalidSetting, match="device 'cuda' is not there"):
        BlipCaptioner(str(captioner_checkpoint("blip")), device="cuda")


def test_a_model_that_wants_to_be_asked_is_refused(captioner_checkpoint, tmp_path):  # noqa: F811
    blip = captioner_checkpoint("blip")
    configuration = transformers.Pix2StructConfig(
        text_config={"hidden_size": 8, "num_layers": 1, "num_heads": 1, "d_kv": 8, "d_ff": 8, "vocab_size": 90},
        vision_config={"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "d_kv": 8, "d_ff": 8},
    )
    transformers.Pix2StructForConditionalGeneration(configuration).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(blip).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_bytes((blip / "preprocessor_config.json").read_bytes())
    with pytest.raises(ModelUnavailable, match="'pix2struct', which wants a question with its picture") as refusal:
        BlipCaptioner(str(tmp_path), device="cpu")
    assert "\n" not in str(refusal.value)
