"""A tokenizer with code of its own, in XGen's place: a token for each byte, in Python alone."""

from typing import ClassVar

from transformers import PreTrainedTokenizer

SPECIAL = 3


class XgenTokenizer(PreTrainedTokenizer):
    model_input_names: ClassVar = ["input_ids", "attention_mask"]

    def __init__(self, pad_token="<pad>", bos_token="<s>", eos_token="</s>", **others):
        self.byte_of = {f"<0x{byte:02X}>": byte for byte in range(256)}
        self.special = [str(pad_token), str(bos_token), str(eos_token)]
        super().__init__(pad_token=pad_token, bos_token=bos_token, eos_token=eos_token, **others)

    @property
    def vocab_size(self):
        return SPECIAL + 256

    def get_vocab(self):
        words = [*self.special, *self.byte_of]
        return {word: number for number, word in enumerate(words)} | self.added_tokens_encoder

    def _tokenize(self, text, **others):
        return [f"<0x{byte:02X}>" for byte in text.encode()]

    def _convert_token_to_id(self, token):
        if token in self.special:
            return self.special.index(token)
        return SPECIAL + self.byte_of[token]

    def _convert_id_to_token(self, index):
        return self.special[index] if index < SPECIAL else f"<0x{index - SPECIAL:02X}>"

    def convert_tokens_to_string(self, tokens):
        known = self.byte_of
        pieces = [bytes([known[token]]) if token in known else token.encode() for token in tokens]
        return b"".join(pieces).decode(errors="replace")

    def save_vocabulary(self, save_directory, filename_prefix=None):
        return ()
