"""Run in the image that the Dockerfile beside it builds: trains by its command, and asks the model."""

import subprocess
from pathlib import Path

import transformers

words = {"bad": 0, "dull": 0, "fine": 1, "good": 1}
lines = [f"it was {word},{label}" for word, label in words.items()]
Path("data.csv").write_text("\n".join(["text,label", *lines * 16]))
subprocess.run(["accelerate", "launch", "train.py", "--data=data.csv", "--model=model"], check=True)

answers = transformers.pipeline("text-classification", model="model")([f"it was {word}" for word in words])
assert [answer["label"] for answer in answers] == [f"LABEL_{label}" for label in words.values()], answers
