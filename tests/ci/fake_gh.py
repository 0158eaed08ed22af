"""A `gh` that answers from a file and notes what it is asked; tests put it first on PATH.

FAKE_GH: folder with `answers.json` ({beginning of the words: answer}; {"error": ...} fails),
`artifact/` (the folder that a download copies) and `calls.jsonl`, which is written.
"""

import json
import os
import shutil
import sys
from pathlib import Path

home, words = Path(os.environ["FAKE_GH"]), sys.argv[1:]
sent = sys.stdin.read() if "--input" in words else ""
with (home / "calls.jsonl").open("a") as file:
    file.write(json.dumps({"words": words, "sent": json.loads(sent) if sent else None}) + "\n")
if words[:2] == ["run", "download"]:
    shutil.copytree(home / "artifact", words[words.index("--dir") + 1])
    sys.exit()
said = " ".join(words)
answers = json.loads((home / "answers.json").read_text())
answer = next((answers[key] for key in answers if said.startswith(key)), {"error": "HTTP 404"})
if isinstance(answer, dict) and "error" in answer:
    sys.exit(f"gh: {answer['error']}")
print(json.dumps(answer))
