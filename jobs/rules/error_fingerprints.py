"""Fingerprints of errors: the text without the parts that differ each time. Pure: no Django, no database.

`#` stands for a number or an id, `…` for a path, an address or the name of a file:

    Cannot open /data/in/37/page-004.png: no such file    Cannot open …: no such file
    Asset 3f2c9a10-0000-4000-8000-00000000002a is empty   Asset # is empty
    frame_00012.jpg has 2 faces at 0x7f3ac2               … has # faces at #

The digits are replaced first, and every rule reads the rest. So an error, the error with its digits as #, and its
signature have the same signature. People may give any of them to name a group of failures.
"""

from __future__ import annotations

import re
from functools import lru_cache

NUMBER, PLACE = "#", "…"

_DIGITS = re.compile(r"\d+")
# Endings of the names of data files. Programs are not among them: `worker.py` names the place of a failure.
_ENDINGS = _DIGITS.sub(
    NUMBER,
    "png jpg jpeg jpe jp2 tif tiff gif bmp webp heic heif avif svg ico dng raw cr2 nef exr psd dcm"
    " mp4 m4v mov avi mkv webm mpg mpeg wmv mp3 wav flac ogg m4a srt vtt"
    " pdf doc docx xls xlsx ppt pptx odt ods rtf txt md csv tsv json jsonl ndjson xml htm html yaml yml toml ini hocr"
    " npy npz pt pth ckpt onnx safetensors pkl pickle h5 hdf5 parquet feather arrow tfrecord lmdb bin dat log tmp part"
    " zip tar gz tgz bz2 xz zst 7z rar db sqlite sqlite3",
)
_ENDING = rf"\.(?:{'|'.join(sorted(set(_ENDINGS.split()), key=len, reverse=True))})"

# `0.5`, `1,024`, `1.5e-05`: one number each.
_AMOUNT = re.compile(r"#(?:[.,]#)+(?:e[+-]?#)?|#e[+-]#")
_ADDRESS = re.compile(r"(?<![^\W_])[A-Za-z][A-Za-z#+.-]{0,15}://[^\s'\"`<>]*")
_QUOTED = re.compile(r"(?<!\w)(['\"`])([^'\"`\n]+)\1(?!\w)")
_PATH = re.compile(r"(?:[A-Za-z]:)?[\\/]{1,2}\w|~/|\.\.?[\\/]")
_FILE = re.compile(rf"[^:]*[\w#)…-]{_ENDING}(?::#)*", re.IGNORECASE)
# A token with a sign of a number, a path or a file; the rules leave all other tokens alone.
_BETWEEN = r"\s'\"`()\[\]{}<>,;=|"
_TOKEN = re.compile(rf"(?<![^{_BETWEEN}])[^{_BETWEEN}#./\\]*+[#./\\][^{_BETWEEN}]*+")
_PLACE_SIGN = re.compile(r"[./\\~]")
_AFTER_COLON = re.compile(r"([^\W\d_][\w#.-]+:)(?=[\\/~.])")
_UUID = re.compile(r"(?<![^\W_])(?<!#)(?=[a-f-]{0,63}#)[a-f#]{1,12}(?:-[a-f#]{1,12}){4}(?![^\W_]|#)", re.IGNORECASE)
_WORD = re.compile(r"(?:[^\W_]|#)+")
_MEMORY = re.compile(r"#x[a-f#]+(?:x#)*", re.IGNORECASE)
_ENDS_SENTENCE = ".,:;!?…)]}"
MOST_WORDS_OF_A_NAME = 6


def signature(error: str) -> str:
    """Return the error without its numbers, paths and ids; never longer than the error, and its own signature."""
    return _signature(_DIGITS.sub(NUMBER, error))


@lru_cache(maxsize=1024)
def _signature(text: str) -> str:
    while (shorter := _without(text)) != text:
        text = shorter
    return text


def _without(text: str) -> str:
    """Apply all rules once. Each replacement is shorter than its original, so that the rounds end."""
    text = _ADDRESS.sub(_address, text)
    text = _QUOTED.sub(_quoted, text)
    text = _UUID.sub(NUMBER, text)
    text = _AMOUNT.sub(NUMBER, text)
    return _TOKEN.sub(_token, text)


def _address(found: re.Match[str]) -> str:
    return PLACE + _end_of(found[0])


def _quoted(found: re.Match[str]) -> str:
    """Replace a quoted path or file name, which may have spaces."""
    quote, text = found[1], found[2]
    words = text.split()
    is_name = len(words) <= MOST_WORDS_OF_A_NAME and _FILE.fullmatch(text)
    return f"{quote}{PLACE}{quote}" if len(words) > 1 and (_PATH.match(text) or is_name) else found[0]


def _token(found: re.Match[str]) -> str:
    return _reduced(found[0])


@lru_cache(maxsize=1024)
def _reduced(token: str) -> str:
    if not _PLACE_SIGN.search(token):
        return _WORD.sub(_word, token)
    end = _end_of(token)
    core = token.removesuffix(end)
    named = _AFTER_COLON.match(core)
    before = named[1] if named else ""
    core = core[len(before) :]
    if _is_place(core):
        return f"{before}{PLACE}{end}"
    if _is_mail(core):
        return f"{before}{NUMBER}{end}"
    return before + _WORD.sub(_word, core) + end


def _end_of(text: str) -> str:
    """Return the punctuation at the end."""
    return text[len(text.rstrip(_ENDS_SENTENCE)) :]


def _is_place(text: str) -> bool:
    """Return whether this is an absolute path, a path of several steps, or the name of a file."""
    if _PATH.match(text) or _FILE.fullmatch(text):
        return True
    return text.count("/") + text.count("\\") > 1 and any(letter.isalpha() for letter in text)


def _is_mail(text: str) -> bool:
    name, at, host = text.partition("@")
    return bool(name and at and "." in host and "@" not in host)


def _word(found: re.Match[str]) -> str:
    return NUMBER if _is_id(found[0]) else found[0]


def _is_id(word: str) -> bool:
    """Return whether a word is hexadecimal, or a mix of letters and numbers that is no name."""
    numbers = word.count(NUMBER)
    letters = word.replace(NUMBER, "")
    if not numbers or not letters:
        return False
    if numbers > 2 or (numbers > 1 and len(word) > 15) or _MEMORY.fullmatch(word):
        return True
    if not set(letters.lower()) <= set("abcdef"):
        return False
    return letters.islower() or numbers > 1 or len(letters) > 2
