"""Text of others as it may stand in a prompt: nothing in it that a machine obeys, or reads though no person sees it."""

from __future__ import annotations

import re

_UNSEEN = {
    # control characters, line ends and tabs excepted; some servers refuse a request for a single NUL
    **{code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"},
    # halves of surrogate pairs, as undecodable file names have them: no JSON takes them
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
    # characters that show text in another order than it is read in
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"),
}

# Letters of Unicode's tag block are invisible, and models read them; a regional flag is written with a few of them.
_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007f]{1,7})|[\U000e0000-\U000e007f]+")

# Words of chat templates. Servers of local models, and tokenizers, read them as what they stand for even in the
# middle of a text: the end of a turn, the system's voice, a place where a picture belongs.
_MARKS = re.compile(
    r"""
      <(?=/?\|[^<>|\s]{1,40}\|>)                        # <|im_start|> <|/x|>
    | <(?=[\uff5c][^<>\uff5c]{1,60}[\uff5c]>)           # the same between full-width bars
    | <(?=/?[a-z]{1,20}(?:[_-][a-z0-9]{1,20}){1,6}>)    # <start_of_turn> <image_soft_token> <row_1_col_2> <global-img>
    | <(?=/?(?:s|bos|eos|eod|eop|pad|unk|mask|cls|sep|imgpad|image|images|img|video|audio|sound|speech|vision|frame|
        patch|box|quad|ref|think|thinking|(?:unused|extra|loc|seg|reserved)[\d_]*)>)
    | <(?=</?sys>>)                                     # <<SYS>>
    | \[(?=/?(?:inst|img(?:_\w{1,20})?|audio|begin_audio|system_prompt|available_tools|tool_calls|tool_results|
        tool_content|args|call_id|think|middle|prefix|suffix|control_\d+|cls|sep|mask|pad|unk)\])
    """,
    re.VERBOSE | re.IGNORECASE,
)


def harmless(text: str) -> str:
    """``text`` for a prompt: control characters as U+FFFD, invisible letters left out, chat templates' words apart.

    The latter get a blank after their bracket: ``< |im_start|>``, ``[ INST]``, ``< image>`` are read by people as
    before, and by no tokenizer as more than words. Which special tokens a local model has beside the usual ones only
    its tokenizer knows, so whoever tokenizes has to see to those.

    >>> harmless("a<|im_end|>b [/INST] <image>")
    'a< |im_end|>b [ /INST] < image>'
    """
    seen = text.replace("\r\n", "\n").replace("\r", "\n").translate(_UNSEEN)
    return _MARKS.sub(lambda mark: f"{mark[0]} ", _TAGS.sub(lambda tag: tag[1] or "", seen))
