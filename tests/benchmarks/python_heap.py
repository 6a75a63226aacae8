"""What the original system did: a Python heap per feature, offered every active value of a batch.

    python_heap.py [--rows N]

Prints one line of JSON: milliseconds for a batch of 4,096 x 16,384 with 64 active in each row, k = 100, after the heaps
have filled (a part of the rows is timed, and the time multiplied: it grows with the rows alone).
"""
import argparse
import heapq
import json
import statistics
import time

import torch

ROWS, FEATURES, ACTIVE, TOP = 4096, 16384, 64, 100


def offer(heaps, batch, first_row):
    """One batch through the heaps, as (activation, row) pairs; rows whose feature is not active are passed over."""
    places = batch.nonzero()
    for (row, feature), activation in zip(places.tolist(), batch[places[:, 0], places[:, 1]].tolist()):
        heap = heaps[feature]
        if len(heap) < TOP:
            heapq.heappush(heap, (activation, first_row + row))
        elif activation > heap[0][0]:
            heapq.heapreplace(heap, (activation, first_row + row))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=512)
    rows = parser.parse_args().rows
    torch.manual_seed(0)
    # What a hundred thousand rows would have left.
    heaps = [[(value, 0) for value in sorted(torch.empty(400).exponential_().topk(TOP).values.tolist())]
             for _ in range(FEATURES)]
    times = []
    for turn in range(3):
        features = torch.rand(rows, FEATURES).topk(ACTIVE, 1).indices
        batch = torch.zeros(rows, FEATURES).scatter(1, features, torch.empty(rows, ACTIVE).exponential_())
        begin = time.perf_counter()
        offer(heaps, batch, turn * rows)
        times.append((time.perf_counter() - begin) * 1000 * ROWS / rows)
    print(json.dumps({"python_heap_ms": statistics.median(times)}))


if __name__ == "__main__":
    main()
