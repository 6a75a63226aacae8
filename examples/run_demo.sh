#!/bin/sh
# The demo: trains an SAE and a transcoder on a real model under saetap and prints what some of their features stand for.
# Usage: run_demo.sh BIN_DIR        DEMO_TOKENS=20000 run_demo.sh BIN_DIR   (a short form)
set -eu
bin=$1
batch=1024
row_bytes=512  # of demo/tokens.bin: 128 tokens of 4 bytes
# The rows of text that the training reads: its steps, and what its buffer still holds at the end.
if [ -n "${DEMO_TOKENS:-}" ]; then
  short="steps=$((DEMO_TOKENS / batch)) buffer_rows=8192 log_every=5"
  rows=$(((DEMO_TOKENS + 8192) / 128))
else
  short=""
  rows=$(((360 * batch + 32768) / 128))
fi
samples=demo/activation_samples
transcoder_samples=demo/transcoder_samples
final_samples=demo/final_samples
rm -rf "$samples" "$transcoder_samples" "$final_samples"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# The trainers are ordinary programs: what they print is their own, and saetap's lines say saetap.
say "1. A sparse autoencoder learns layer 3 of MiniLM, recorded from outside"
# shellcheck disable=SC2086 — a list of key=value words
"$bin/saetap" record --config examples/demo.json -- "$bin/train_sae" examples/train_sae.json $short

say "2. A transcoder learns that layer's feed-forward block"
# shellcheck disable=SC2086
"$bin/saetap" record --config examples/demo.json --output "$transcoder_samples" -- \
  "$bin/train_transcoder" examples/train_transcoder.json $short

# Chosen by rule, not by hand: of the features active on at most 1 % of the tokens, those with the highest activation.
say "3. Ten features of the autoencoder"
features=$("$bin/saetap" features "$samples" --max-density 1% --top 10 --json | sed -n 's/^ *"feature": \([0-9]*\).*/\1/p')
for feature in $features; do
  "$bin/saetap" show "$samples" "$feature" --samples 4 --context 8
  echo
done

# During training features change under the samples that were kept; a pass shows what they stand for in the end.
say "4. The same text under the finished autoencoder, and how far training's samples agree with it"
head -c $((rows * row_bytes)) demo/tokens.bin > demo/trained_tokens.bin
"$bin/saetap" collect --sae demo/topk_sae_trained.pt --lm demo/minilm.pt --lm-output 0 \
  --tokens demo/trained_tokens.bin --length 128 --config examples/demo.json -o "$final_samples"
"$bin/saetap" agree "$samples" "$final_samples"

say "5. What they are as a whole: groups of features, a report, pictures"
"$bin/saetap" cluster "$samples" --by places --top 8
"$bin/saetap" report "$samples" -o demo/report.md
"$bin/saetap" report "$samples" --html -o demo/report.html
"$bin/saetap" plot "$samples" density -o demo/density.png
"$bin/saetap" plot "$samples" max-density -o demo/max_density.svg
"$bin/saetap" plot "$samples" samples "${feature:-0}" -o demo/samples.svg

say "Next"
cat <<END
  $bin/saetap features $samples --sort density      all features, the most frequent first
  $bin/saetap show $samples ${feature:-0}                           one feature with all its samples
  $bin/saetap similar $samples ${feature:-0}                        the features most like it
  $bin/saetap features $transcoder_samples              the transcoder's features
  less demo/report.md                               the report, 50 features; demo/report.html is the same for a browser
END
