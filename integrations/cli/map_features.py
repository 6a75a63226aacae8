"""Directions as points of a plane, by UMAP or t-SNE: what `saetap map` runs with the user's Python.

map_features.py METHOD SEED DIRECTIONS.npy POINTS: reads [features, width] rows of length 1, writes [features, 2] as
little-endian float64. A missing package is a line on stderr and exit status 3.
"""

import sys


def need(method: str) -> tuple:
    package = "umap-learn" if method == "umap" else "scikit-learn"
    try:
        import numpy

        if method == "umap":
            from umap import UMAP as reducer
        else:
            from sklearn.manifold import TSNE as reducer
    except ImportError as error:
        name = (error.name or "").split(".")[0]
        wanted = {"umap": "umap-learn", "sklearn": "scikit-learn"}.get(name, name or package)
        print(f"{sys.executable} has no {wanted}: pip install {package}", file=sys.stderr)
        raise SystemExit(3) from None
    return numpy, reducer


def main(method: str, seed: str, directions: str, points: str) -> None:
    numpy, reducer = need(method)
    rows = numpy.load(directions)
    settings = {"n_components": 2, "metric": "cosine", "random_state": int(seed)}
    if method == "umap":
        # One thread, or the seed would not give the same map again.
        settings |= {"n_neighbors": min(15, len(rows) - 1), "n_jobs": 1}
    else:
        settings |= {"perplexity": min(30.0, (len(rows) - 1) / 3), "init": "pca"}
    numpy.asarray(reducer(**settings).fit_transform(rows), dtype="<f8").tofile(points)


if __name__ == "__main__":
    main(*sys.argv[1:])
