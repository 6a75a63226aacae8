#!/bin/sh
# After `make demo`: what it wrote holds real text, resolved rows and marked tokens. Usage: check_demo.sh DEMO_DIR
set -eu
demo=$1
saetap=build/release/bin/saetap
fail() { echo "check_demo: $*" >&2; exit 1; }

for samples in "$demo/activation_samples" "$demo/transcoder_samples"; do
  "$saetap" info --json "$samples" | python3 -c '
import json, sys
site = json.load(sys.stdin)["sites"][0]
assert site["tokens_collected"] >= 19000, site
assert site["tokens_resolved"] >= 0.999 * site["tokens_collected"], site
assert site["alive"] > 0.2 * site["features"] and site["has_decoder"], site
' || fail "$samples does not hold what a demo holds"
  feature=$("$saetap" features "$samples" --top 1 --json | sed -n 's/^ *"feature": \([0-9]*\).*/\1/p')
  "$saetap" show "$samples" "$feature" --samples 5 | grep -q '«..*»' || fail "feature $feature of $samples shows no marked word"
done
# A pass over the text that was trained on, which training's samples agree with in part.
"$saetap" info --json "$demo/final_samples" | python3 -c '
import json, sys
site = json.load(sys.stdin)["sites"][0]
assert site["tokens_resolved"] == site["tokens_collected"] == site["tokens_seen"] >= 27000, site
' || fail "$demo/final_samples does not hold what the pass went over"
"$saetap" agree --json "$demo/activation_samples" "$demo/final_samples" | python3 -c '
import json, sys
parts = {part["kind"]: part for part in json.load(sys.stdin)["sites"][0]["parts"]}
assert 0.1 < parts["recent"]["found"]["median"] <= 1, parts
' || fail "the pass and the training do not agree on anything"
grep -q '^## Feature ' "$demo/report.md" || fail "report.md lists no feature"
grep -q '% resolved to their token' "$demo/report.md" || fail "report.md does not say how many rows were resolved"
[ "$(grep -c '^[0-9]*\. .*\*\*' "$demo/report.md")" -gt 100 ] || fail "report.md marks no tokens"
grep -q '<h2 id="suspicious-features">' "$demo/report.html" || fail "report.html has no chapter of suspicious features"
head -c 4 "$demo/density.png" | grep -q 'PNG' || fail "density.png is no picture"
grep -q '</svg>' "$demo/max_density.svg" || fail "max_density.svg is not whole"
# Every row that counted was counted by its token, too.
"$saetap" show "$demo/activation_samples" 0 --json | python3 -c '
import json, sys
shown = json.load(sys.stdin)
assert shown["activating_tokens"]["text_whole"], shown["activating_tokens"]
assert shown["activating_tokens"]["text_tokens"] == shown["scope"]["tokens"], shown["scope"]
' || fail "the tokens of the text were not all counted"
echo "check_demo: 1 passed, 0 failed"
