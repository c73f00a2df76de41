"""Engines for the tests of the harness, each in a process of its own."""

from __future__ import annotations

import os
import sys
import time


class Sleeping:
    """Says that it took ``seconds``, a factor longer in each round after the first."""

    def __init__(self, seconds: float, slower: float = 1.0) -> None:
        self.seconds, self.slower = seconds, slower

    def setup(self):
        sys.stdout.write("what libraries print does not come between the facts\n")
        return {"colour": "blue"}

    def run(self, task):
        return {"seconds": self.seconds * self.slower ** (task.get("round", 1) - 1), "round": task.get("round")}


class Clocked:
    """Really takes a while, and memory."""

    def setup(self):
        return None

    def run(self, task):
        time.sleep(0.2)
        held = bytearray(task["bytes"])
        return {"held": len(held), "threads": os.environ["OMP_NUM_THREADS"], "offline": os.environ["HF_HUB_OFFLINE"]}


class Failing:
    """Fails where it is told to."""

    def __init__(self, where: str) -> None:
        self.where = where

    def setup(self):
        if self.where == "setup":
            raise OSError("no weights\nand a second line")

    def run(self, task):
        if self.where == "death":
            os.write(2, b"terminate called after throwing\n")
            os._exit(7)
        if self.where == "silence":
            time.sleep(60)
        if self.where == "run":
            raise ValueError("the third picture")
