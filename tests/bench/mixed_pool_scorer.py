"""The shipped calibrator as a scorer of the shared benchmark. In this folder, wherever the benchmark lies:

``python ../../../shared/bench/mixed_pool.py mixed_pool_scorer:Scorer``.
"""

import numpy as np

from mmrag_nb.retrieval.calibration import Statistics, unit_of


class Scorer:
    """One channel of pictures and one of texts, each with the statistics that an index would keep."""

    def fit(self, background_text, image, text):
        self.channels = []
        for vectors in (image, text):
            statistics = Statistics.empty(len(background_text), vectors.shape[1]).updated(background_text, vectors)
            self.channels.append((vectors, statistics))

        self.unit = unit_of(statistics for _, statistics in self.channels)

    def score(self, query):
        return tuple(
            np.stack([statistics.scale(one, self.unit).score(vectors @ one) for one in query])
            for vectors, statistics in self.channels
        )
