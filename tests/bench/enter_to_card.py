"""How long from Enter to a card that can be seen, in JupyterLab: ``python tests/bench/enter_to_card.py [ITEMS]``.

As ``mmrag-nb bench ask``, with all that stands between a keyboard and an eye: the browser's event for Shift+Enter, the
Jupyter server, the kernel, and back, until the card is in the page, its pictures are decoded and the frame that shows
them is painted. Needs JupyterLab, selenium, Chromium and chromedriver.
"""

import sys
from ast import literal_eval
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "notebook" / "browser"))

from chromium import started
from lab import Lab, served
from selenium.webdriver import ActionChains, Keys

from mmrag_nb.bench import corpus, machine
from mmrag_nb.bench.ask import INDEX, LIMIT, STOPWATCH, WARM_UP, index, quantiles

WATCH = """
const cell = panel.content.widgets[args[0]], output = cell.outputArea.node;
panel.content.activeCellIndex = args[0];
panel.content.mode = 'edit';
await cell.ready;
cell.editor.focus();
cell.node.scrollIntoView({block: 'center'});
window.__mm_seen = new Promise((seen) => {
  let pressed = 0;
  const key = (event) => { if (event.key === 'Enter') pressed = performance.now(); };
  document.addEventListener('keydown', key, true);
  const watching = new MutationObserver(async () => {
    const card = output.querySelector('section.mmrag');
    if (!pressed || !card || !card.clientHeight) return;
    watching.disconnect();
    document.removeEventListener('keydown', key, true);
    const there = performance.now() - pressed;
    await Promise.allSettled(Array.from(card.querySelectorAll('img'), (img) => img.decode()));
    requestAnimationFrame(() => setTimeout(() => seen({there, painted: performance.now() - pressed})));
  });
  watching.observe(output, {childList: true, subtree: true});
});
"""
STAGES = """
const asked = panel.sessionContext.session.kernel.requestExecute(
  {code: '', silent: true, store_history: false, user_expressions: {stages: '_stopwatch.stages()'}});
return (await asked.done).content.user_expressions.stages.data['text/plain'];
"""


def ask(lab, cell):
    """Press Shift+Enter in a cell; seconds by stage."""
    lab.js(WATCH, cell)
    ActionChains(lab.driver).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
    seen = lab.js("return await window.__mm_seen")
    stages = literal_eval(lab.js(STAGES))
    there, painted = seen["there"] / 1000, seen["painted"] / 1000
    return {
        **stages,
        "protocol, server and the rest": there - sum(stages.values()),
        "decode the pictures, paint": painted - there,
        "from Enter to the card seen": painted,
    }


def main(items=1_000, questions=30):
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as name,
        started(Path(name)) as browser,
        served(Path(name) / "jupyter") as (url, token, root),
    ):
        lines, chunks = index(items, root / INDEX)
        print(*lines, sep="\n", flush=True)
        first = [f"%load_ext mmrag_nb\n%mmrag_open {INDEX}", STOPWATCH]
        asked = [f"%mmrag_ask {question}" for question in corpus.questions(WARM_UP + questions)]
        lab = Lab(browser, url, token, root)
        lab.open(lab.write("bench.ipynb", [*first, *asked]))
        for cell in range(len(first)):
            lab.run(cell)
        rows = [ask(lab, cell) for cell in range(len(first), len(first) + len(asked))][WARM_UP:]
        assert not lab.failures(), lab.failures()
    print(f"\n%mmrag_ask in JupyterLab, {items:,} items, {chunks:,} chunks, {questions} questions, models warm\n")
    print(f"{'stage':34}{'median':>10}{'p90':>10}")
    for stage in rows[0]:
        median, late = quantiles([row[stage] for row in rows])
        print(f"{stage:34}{median * 1000:7.1f} ms{late * 1000:7.1f} ms")
    print(f"promised: a median under {LIMIT * 1000:.0f} ms; {'kept' if median < LIMIT else 'NOT KEPT'}")
    print("\non " + " · ".join(f"{name} {value}" for name, value in machine.facts().items()))


if __name__ == "__main__":
    try:
        sys.exit(main(*map(int, sys.argv[1:3])))
    except pytest.skip.Exception as reason:
        sys.exit(f"cannot be measured here: {reason}")
