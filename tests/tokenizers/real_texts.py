"""Texts to encode: the demo's, and sentences in other scripts, whose characters many tokenizers cut into bytes."""

import array
import random
from pathlib import Path

import tokenizers

ROW = 128  # tokens per row of tokens.bin
TEXTS = 1_500

SENTENCES = (
    "Die Größe der Übung überraschte niemanden außer Jürgen.",
    "L'été dernier, nous avons goûté des pâtés près de Nîmes.",
    "Сегодня утром на площади было тихо, только голуби ходили.",
    "Η γάτα κοιμάται πάνω στο παλιό τραπέζι.",
    "今日は天気がいいので、川まで歩いて行きました。",
    "昨天晚上我们在图书馆里读了三本书。",
    "오늘은 비가 와서 집에서 책을 읽었다.",
    "هذا الصباح شربت القهوة قرب النافذة.",
    "आज सुबह बगीचे में बहुत सारे पक्षी थे।",
    "เมื่อวานนี้ฝนตกทั้งวัน",
    "A family 👩‍👩‍👧‍👦, a flag 🇳🇿, a wave 👋🏽, and 𝔐𝔞𝔱𝔥 ∀x∈ℝ: x² ≥ 0.",
    "def f(x):\n\treturn [x  for _ in range(3)]   # tabs\tand   spaces\r\n",
    "  two leading spaces, a no-break\u00a0space, a zero\u200bwidth one, and a ▁ of its own",
    "𠜎𠜱𠝹 𒀀𒁀 🜁🜂 \U0010fffd \ufffd",
)


def real_texts(demo: Path) -> list[str]:
    reference = tokenizers.Tokenizer.from_file(str(demo / "tokenizer.json"))
    tokens = array.array("i", (demo / "tokens.bin").read_bytes())
    rows = [tokens[start : start + ROW].tolist() for start in range(0, len(tokens), ROW)]
    rng = random.Random(2)
    english = reference.decode_batch(rng.sample(rows, min(TEXTS, len(rows))))
    # Every text is an English one, cut anywhere, with sentences around it.
    return [
        " ".join(rng.sample(SENTENCES, k=rng.randint(0, 2)) + [text[rng.randrange(20) :]])
        + rng.choice(SENTENCES)[: rng.randint(0, 40)]
        for text in english
    ]
